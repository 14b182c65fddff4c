// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/async.h"

#include <utility>

#include "loop/handle.h"

namespace zatt::loop {

using AsyncBox = EventBox<uv_async_s>;
template struct Close<AsyncBox>;

Async::Async(Loop& loop, std::function<void()> on_wake)
    : box_(new AsyncBox{.on_event = std::move(on_wake)}) {
  adopt(box_.get(), uv_async_init(loop.uv(), &box_->handle, AsyncBox::call<>));
}

void Async::send() noexcept { uv_async_send(&box_->handle); }

}  // namespace zatt::loop
