// SPDX-License-Identifier: AGPL-3.0-or-later
// The one way into the loop from another thread.
#pragma once

#include <functional>
#include <memory>

#include "loop/loop.h"

namespace zatt::loop {

class Async {
 public:
  Async(Loop& loop, std::function<void()> on_wake);

  // From any thread, while the Async lives. Several calls may end in one on_wake.
  void send() noexcept;

 private:
  struct Box;
  struct Close {
    void operator()(Box* box) const noexcept;
  };
  std::unique_ptr<Box, Close> box_;
};

}  // namespace zatt::loop
