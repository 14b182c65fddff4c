// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/signal.h"

#include <utility>

#include "loop/handle.h"

namespace zatt::loop {

using SignalBox = EventBox<uv_signal_s>;
template struct Close<SignalBox>;

Signal::Signal(Loop& loop, int number, std::function<void()> on_signal)
    : box_(new SignalBox{.on_event = std::move(on_signal)}) {
  adopt(box_.get(), uv_signal_init(loop.uv(), &box_->handle));
  const int rc = uv_signal_start(&box_->handle, SignalBox::call<int>, number);
  ZATT_ASSERT(rc == 0);
}

}  // namespace zatt::loop
