// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/network.h"

#include <algorithm>

namespace zatt::sim {

std::uint64_t Network::delay() {
  const std::uint64_t spread = settings_.delay_mean_us - settings_.delay_min_us;
  // Two draws: short delays are common, long ones are not rare.
  const std::uint64_t a = prng_.below(2 * spread + 1);
  const std::uint64_t b = prng_.below(2 * spread + 1);
  return settings_.delay_min_us + std::min(a, b) + (prng_.chance(1, 50) ? 4 * spread : 0);
}

void Network::dial(NodeNumber from, NodeNumber to) { try_dial(from, to, endpoints_.process(from)); }

void Network::try_dial(NodeNumber from, NodeNumber to, std::uint64_t process) {
  if (endpoints_.process(from) != process) return;
  const std::uint64_t after = delay();
  scheduler_.in(after, [=, this] { connect(from, to, process); });
}

void Network::connect(NodeNumber from, NodeNumber to, std::uint64_t process) {
  if (endpoints_.process(from) != process) return;
  const bool there = endpoints_.process(to) != 0 && passes(from, to) && passes(to, from);
  if (!there) {
    const std::uint64_t wait = prng_.between(20'000, 300'000);
    scheduler_.in(wait, [=, this] { try_dial(from, to, process); });
    return;
  }
  Connection c;
  c.dialer = from;
  c.answerer = to;
  c.dialer_link = ++last_link_;
  c.answerer_link = ++last_link_;
  c.dialer_process = process;
  c.answerer_process = endpoints_.process(to);
  const std::uint64_t number = ++last_connection_;
  connections_[number] = c;
  by_link_[{from, c.dialer_link}] = number;
  by_link_[{to, c.answerer_link}] = number;
  endpoints_.deliver_link_up(to, c.answerer_link, false, from);
  endpoints_.deliver_link_up(from, c.dialer_link, true, to);
}

void Network::send(NodeNumber from, node::LinkId link, std::string frame) {
  const auto it = by_link_.find({from, link});
  if (it == by_link_.end()) return;
  const std::uint64_t number = it->second;
  Connection& c = connections_.at(number);
  if (!c.open) return;
  const bool to_dialer = c.answerer_link == link;
  const NodeNumber to = to_dialer ? c.dialer : c.answerer;
  if (!passes(from, to)) return;
  if (!perfect_ && prng_.chance(settings_.reset_permille, 10'000)) {
    break_connection(number);
    return;
  }
  if (!perfect_ && prng_.chance(settings_.loss_permille, 1000)) return;
  std::uint64_t& last = to_dialer ? c.last_to_dialer_us : c.last_to_answerer_us;
  const bool overtakes = !perfect_ && prng_.chance(settings_.reorder_permille, 1000);
  std::uint64_t at = scheduler_.now_us() + delay();
  if (!overtakes) {
    at = std::max(at, last);
    last = at;
  }
  deliver_later(number, to_dialer, frame, at);
  if (!perfect_ && prng_.chance(settings_.double_permille, 1000)) {
    const std::uint64_t again = at + prng_.below(prng_.chance(1, 10) ? 2'000'000 : 20'000);
    deliver_later(number, to_dialer, frame, again);
  }
}

std::string Network::to_text(NodeNumber from, node::LinkId link) const {
  const auto it = by_link_.find({from, link});
  if (it == by_link_.end()) return "to nobody: ";
  const Connection& c = connections_.at(it->second);
  return "to " + std::to_string(c.dialer == from ? c.answerer : c.dialer) +
         (c.open ? "" : " (closed)") + ": ";
}

void Network::deliver_later(std::uint64_t number, bool to_dialer, const std::string& frame,
                            std::uint64_t at_us) {
  scheduler_.at(at_us, [=, this] {
    const auto it = connections_.find(number);
    if (it == connections_.end()) return;
    const Connection& c = it->second;
    const NodeNumber to = to_dialer ? c.dialer : c.answerer;
    const node::LinkId link = to_dialer ? c.dialer_link : c.answerer_link;
    const std::uint64_t process = to_dialer ? c.dialer_process : c.answerer_process;
    if (endpoints_.process(to) == process && by_link_.contains({to, link}) &&
        passes(to_dialer ? c.answerer : c.dialer, to))
      endpoints_.deliver_frame(to, link, frame);
  });
}

void Network::close(NodeNumber from, node::LinkId link) {
  const auto it = by_link_.find({from, link});
  if (it != by_link_.end()) break_connection(it->second);
}

void Network::break_connection(std::uint64_t number) {
  Connection& c = connections_.at(number);
  if (!c.open) return;
  c.open = false;
  // Each end hears of it in its own time, behind what was on its way.
  const std::uint64_t now = scheduler_.now_us();
  const std::uint64_t to_dialer = std::max(c.last_to_dialer_us, now) - now + delay();
  const std::uint64_t to_answerer = std::max(c.last_to_answerer_us, now) - now + delay();
  end_later(number, true, to_dialer);
  end_later(number, false, to_answerer);
}

void Network::end_later(std::uint64_t number, bool dialer_side, std::uint64_t after_us) {
  scheduler_.in(after_us, [=, this] {
    const auto it = connections_.find(number);
    if (it == connections_.end()) return;
    const Connection c = it->second;
    const NodeNumber node = dialer_side ? c.dialer : c.answerer;
    const NodeNumber other = dialer_side ? c.answerer : c.dialer;
    const node::LinkId link = dialer_side ? c.dialer_link : c.answerer_link;
    const std::uint64_t process = dialer_side ? c.dialer_process : c.answerer_process;
    if (endpoints_.process(node) == process && !passes(other, node)) {
      end_later(number, dialer_side, 200'000);  // cut off: the end is not heard of yet
      return;
    }
    by_link_.erase({node, link});
    if (!by_link_.contains({other, dialer_side ? c.answerer_link : c.dialer_link}))
      connections_.erase(number);
    if (endpoints_.process(node) != process) return;
    endpoints_.deliver_link_down(node, link);
    if (dialer_side) try_dial(c.dialer, c.answerer, process);
  });
}

void Network::on_process_end(NodeNumber node) {
  for (auto& [number, c] : connections_)
    if (c.dialer == node || c.answerer == node) break_connection(number);
}

}  // namespace zatt::sim
