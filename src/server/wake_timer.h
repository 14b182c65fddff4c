// SPDX-License-Identifier: AGPL-3.0-or-later
// The node's one deadline, as a timer of the loop.
#pragma once

#include <cstdint>

#include "base/types.h"
#include "loop/loop_hooks.h"
#include "loop/timer.h"

namespace zatt::server {

class WakeTimer {
 public:
  // Once it has fired the loop does not wait before its next turn's after_poll.
  WakeTimer(loop::Loop& loop, loop::LoopHooks& turn)
      : timer_(loop, [this, &turn] {
          has_fired_ = true;
          turn.run_again();
        }) {}

  // Or never_us. Cheap where it is what was set before.
  void set(std::uint64_t wake_us) {
    if (wake_us == set_for_us_) return;
    set_for_us_ = wake_us;
    const std::uint64_t now_us = loop::now_us();
    // The loop counts whole milliseconds: one more, so that it does not wake just before the time.
    const std::uint64_t wait_ms = wake_us > now_us ? (wake_us - now_us) / 1000 + 1 : 0;
    if (wake_us == never_us) {
      timer_.stop();
    } else {
      timer_.start(wait_ms);
    }
  }
  void stop() { timer_.stop(); }

  // Whether it has fired; once for each time.
  bool take_fired() {
    if (!has_fired_) return false;
    has_fired_ = false;
    set_for_us_ = 0;
    return true;
  }

 private:
  loop::Timer timer_;
  std::uint64_t set_for_us_ = 0;
  bool has_fired_ = false;
};

}  // namespace zatt::server
