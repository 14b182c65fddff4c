// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/dialer.h"

#include <utility>

namespace zatt::server {

Dialer::Dialer(loop::Loop& loop, Address address, std::uint64_t seed, Events events)
    : loop_(loop),
      address_(std::move(address)),
      redial_(seed),
      events_(std::move(events)),
      wait_(loop, [this] { attempt(); }) {}

void Dialer::begin() { wait_.start(0); }

void Dialer::set_address(Address address) {
  if (address == address_) return;
  address_ = std::move(address);
  if (connect_) attempt();
}

void Dialer::attempt() {
  connect_ = std::make_unique<loop::Connector>(
      loop_, address_, attempt_limit_ms,
      [this](loop::Stream stream, std::string why) { on_done(std::move(stream), std::move(why)); });
}

void Dialer::on_done(loop::Stream stream, std::string why) {
  connect_.reset();
  if (stream) {
    connected_us_ = loop::now_us();
    events_.on_connected(std::move(stream));
    return;
  }
  wait_.start(redial_.after_failure_ms());
  events_.on_failed(std::move(why));
}

void Dialer::on_link_ended(bool good) {
  wait_.start(redial_.after_link_ms(good, loop::now_us() - connected_us_));
}

}  // namespace zatt::server
