// SPDX-License-Identifier: AGPL-3.0-or-later
// The one way into the loop from another thread.
#pragma once

#include <functional>

#include "loop/box.h"
#include "loop/loop.h"

struct uv_async_s;

namespace zatt::loop {

class Async {
 public:
  Async(Loop& loop, std::function<void()> on_wake);

  // From any thread, while the Async exists. Several calls may end in one on_wake.
  void send() noexcept;

 private:
  Owned<EventBox<uv_async_s>> box_;
};

}  // namespace zatt::loop
