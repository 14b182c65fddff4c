// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/signal.h"

#include "loop/handle.h"

namespace zatt::loop {

struct Signal::Box {
  uv_signal_t handle;
  std::function<void()> on_signal;
};

void Signal::Close::operator()(Box* box) const noexcept { close_box(box); }

Signal::Signal(Loop& loop, int number, std::function<void()> on_signal)
    : box_(new Box{.handle = {}, .on_signal = std::move(on_signal)}) {
  adopt(box_.get(), uv_signal_init(loop.uv(), &box_->handle));
  const auto arrived = [](uv_signal_t* signal, int) noexcept {
    static_cast<Box*>(signal->data)->on_signal();
  };
  const int rc = uv_signal_start(&box_->handle, arrived, number);
  ZATT_ASSERT(rc == 0);
}

}  // namespace zatt::loop
