// SPDX-License-Identifier: AGPL-3.0-or-later
// A libuv timer that its owner may destroy at any time, even from its own callback.
#pragma once

#include <cstdint>
#include <functional>

#include "loop/box.h"
#include "loop/loop.h"

struct uv_timer_s;

namespace zatt::loop {

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_fire);

  // Fires once, not before delay_ms from now have passed. Replaces what was set before.
  void start(std::uint64_t delay_ms);
  void stop();
  bool is_active() const;

 private:
  Owned<EventBox<uv_timer_s>> box_;
};

}  // namespace zatt::loop
