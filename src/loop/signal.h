// SPDX-License-Identifier: AGPL-3.0-or-later
// A Unix signal as an event of the loop.
#pragma once

#include <functional>
#include <memory>

#include "loop/loop.h"

namespace zatt::loop {

class Signal {
 public:
  Signal(Loop& loop, int number, std::function<void()> on_signal);

 private:
  struct Box;
  struct Close {
    void operator()(Box* box) const noexcept;
  };
  std::unique_ptr<Box, Close> box_;
};

}  // namespace zatt::loop
