// SPDX-License-Identifier: AGPL-3.0-or-later
// Links that pass so many bytes in a time: what waits for them, and who is told when it is less.
#include <algorithm>

#include "tests/sim/network.h"

namespace zatt::sim {
namespace {

constexpr std::uint64_t kernel_bytes = 64 << 10;  // of what waits, the sender's kernel has taken

}  // namespace

// How long it takes from now on until the last of its bytes is on its way. Control frames wait for
// each other, and for what the sender's kernel has taken of the others already.
std::uint64_t Network::pass_slowly(Direction& way, const Frame& frame) {
  const std::uint64_t now = scheduler_.now_us();
  const std::uint64_t us = 1000 * frame.bytes.size() / settings_.link_bytes_per_ms;
  way.bulk_us = std::max(way.bulk_us, now) + us;
  if (!frame.is_control) return way.bulk_us - now;
  const std::uint64_t taken_us = now + 1000 * kernel_bytes / settings_.link_bytes_per_ms;
  if (way.bulk_us - us > taken_us) coverage_.count(Action::bulk_overtaken);
  way.control_us = std::max(way.control_us, std::min(way.bulk_us - us, taken_us)) + us;
  return way.control_us - now;
}

std::uint64_t Network::unsent_bytes(const Direction& way) const {
  const std::uint64_t now = scheduler_.now_us();
  if (settings_.link_bytes_per_ms == 0 || way.bulk_us <= now) return 0;
  return (way.bulk_us - now) * settings_.link_bytes_per_ms / 1000;
}

std::uint64_t Network::unsent_bytes(NodeNumber from, node::LinkId link) const {
  const auto it = by_link_.find({from, link});
  if (it == by_link_.end()) return 0;
  const Connection& c = connections_.at(it->second);
  return unsent_bytes(c.answerer_link == link ? c.to_dialer : c.to_answerer);
}

void Network::tell_of_room(std::uint64_t number, bool to_dialer) {
  const auto it = connections_.find(number);
  if (it == connections_.end()) return;
  Connection& c = it->second;
  Direction& way = c.way(to_dialer);
  constexpr std::uint64_t half = node::Env::crowded_link_bytes / 2;
  if (const std::uint64_t unsent = unsent_bytes(way); unsent >= half) {
    const std::uint64_t us = 1000 * (unsent - half) / settings_.link_bytes_per_ms;
    scheduler_.in(us + 1, [=, this] { tell_of_room(number, to_dialer); });
    return;
  }
  way.crowded = false;
  const NodeNumber from = to_dialer ? c.answerer : c.dialer;
  const std::uint64_t process = to_dialer ? c.answerer_process : c.dialer_process;
  if (endpoints_.process(from) == process)
    endpoints_.deliver_link_room(from, to_dialer ? c.answerer_link : c.dialer_link);
}

}  // namespace zatt::sim
