// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/async.h"

#include "loop/handle.h"

namespace zatt::loop {

struct Async::Box {
  uv_async_t handle;
  std::function<void()> on_wake;
};

void Async::Close::operator()(Box* box) const noexcept { close_box(box); }

Async::Async(Loop& loop, std::function<void()> on_wake)
    : box_(new Box{.handle = {}, .on_wake = std::move(on_wake)}) {
  const auto wake = [](uv_async_t* async) noexcept { static_cast<Box*>(async->data)->on_wake(); };
  adopt(box_.get(), uv_async_init(loop.uv(), &box_->handle, wake));
}

void Async::send() noexcept { uv_async_send(&box_->handle); }

}  // namespace zatt::loop
