// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/timer.h"

#include <utility>

#include "loop/handle.h"

namespace zatt::loop {

using TimerBox = EventBox<uv_timer_s>;
template struct Close<TimerBox>;

Timer::Timer(Loop& loop, std::function<void()> on_fire)
    : box_(new TimerBox{.on_event = std::move(on_fire)}) {
  adopt(box_.get(), uv_timer_init(loop.uv(), &box_->handle));
}

void Timer::start(std::uint64_t delay_ms) {
  uv_update_time(box_->handle.loop);  // counted from the cached time, it would fire too early
  const int rc = uv_timer_start(&box_->handle, TimerBox::call<>, delay_ms, 0);
  ZATT_ASSERT(rc == 0);
}

void Timer::stop() { uv_timer_stop(&box_->handle); }

bool Timer::is_active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&box_->handle)) != 0;
}

}  // namespace zatt::loop
