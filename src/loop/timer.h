// SPDX-License-Identifier: AGPL-3.0-or-later
// A libuv timer that its owner may destroy at any time, even from its own callback.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "loop/loop.h"

namespace zatt::loop {

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_fire);

  // Fires once, not before delay_ms from now have passed. Replaces what was set before.
  void start(std::uint64_t delay_ms);
  void stop();
  bool is_active() const;

 private:
  struct Box;
  struct Close {
    void operator()(Box* box) const noexcept;
  };
  std::unique_ptr<Box, Close> box_;
};

}  // namespace zatt::loop
