// SPDX-License-Identifier: AGPL-3.0-or-later
// A Unix signal as an event of the loop.
#pragma once

#include <functional>

#include "loop/box.h"
#include "loop/loop.h"

struct uv_signal_s;

namespace zatt::loop {

class Signal {
 public:
  Signal(Loop& loop, int number, std::function<void()> on_signal);

 private:
  Owned<EventBox<uv_signal_s>> box_;
};

}  // namespace zatt::loop
