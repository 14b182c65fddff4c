// SPDX-License-Identifier: AGPL-3.0-or-later
// Keeps trying to reach one peer: one attempt at a time, with waits in between that grow.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/types.h"
#include "loop/connector.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/timer.h"
#include "server/back_off.h"

namespace zatt::server {

class Dialer {
 public:
  static constexpr std::uint64_t attempt_limit_ms = 2000;  // an address

  // From the loop. The Dialer must not be destroyed from them.
  struct Events {
    std::function<void(loop::Stream stream)> on_connected;
    std::function<void(std::string why)> on_failed;
  };

  Dialer(loop::Loop& loop, Address address, std::uint64_t seed, Events events);
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  // The first attempt. Called once.
  void begin();
  // Where it is from now on; an attempt under way begins anew, there.
  void set_address(Address address);

  // The link made from on_connected has ended: dial again. `good`: it had been of use.
  void on_link_ended(bool good);

 private:
  // One attempt, and how it went (as loop::Connector says).
  void attempt();
  void on_done(loop::Stream stream, std::string why);

  loop::Loop& loop_;
  Address address_;
  Redial redial_;
  Events events_;
  loop::Timer wait_;
  std::unique_ptr<loop::Connector> connect_;
  std::uint64_t connected_us_ = 0;
};

}  // namespace zatt::server
