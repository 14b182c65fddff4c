// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/timer.h"

#include "loop/handle.h"

namespace zatt::loop {

struct Timer::Box {
  uv_timer_t handle;
  std::function<void()> on_fire;
};

void Timer::Close::operator()(Box* box) const noexcept { close_box(box); }

Timer::Timer(Loop& loop, std::function<void()> on_fire)
    : box_(new Box{.handle = {}, .on_fire = std::move(on_fire)}) {
  adopt(box_.get(), uv_timer_init(loop.uv(), &box_->handle));
}

void Timer::start(std::uint64_t delay_ms) {
  const auto fire = [](uv_timer_t* timer) noexcept { static_cast<Box*>(timer->data)->on_fire(); };
  uv_update_time(box_->handle.loop);  // counted from the cached time, it would fire too early
  const int rc = uv_timer_start(&box_->handle, fire, delay_ms, 0);
  ZATT_ASSERT(rc == 0);
}

void Timer::stop() { uv_timer_stop(&box_->handle); }

bool Timer::is_active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&box_->handle)) != 0;
}

}  // namespace zatt::loop
