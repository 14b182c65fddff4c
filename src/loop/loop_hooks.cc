// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/loop_hooks.h"

#include "loop/handle.h"

namespace zatt::loop {

struct LoopHooks::Before {
  uv_prepare_t handle;
  std::function<void()> before_wait;
};
struct LoopHooks::Skip {  // libuv does not wait while an idle handle is active
  uv_idle_t handle;
};
struct LoopHooks::After {
  uv_check_t handle;
  uv_idle_t* skip;
  std::function<void()> after_poll;
};

void LoopHooks::Close::operator()(Before* box) const noexcept { close_box(box); }
void LoopHooks::Close::operator()(After* box) const noexcept { close_box(box); }
void LoopHooks::Close::operator()(Skip* box) const noexcept { close_box(box); }

LoopHooks::LoopHooks(Loop& loop, std::function<void()> after_poll,
                     std::function<void()> before_wait)
    : skip_(new Skip{.handle = {}}),
      before_(new Before{.handle = {}, .before_wait = std::move(before_wait)}),
      after_(new After{.handle = {}, .skip = &skip_->handle, .after_poll = std::move(after_poll)}) {
  adopt(skip_.get(), uv_idle_init(loop.uv(), &skip_->handle));
  adopt(before_.get(), uv_prepare_init(loop.uv(), &before_->handle));
  adopt(after_.get(), uv_check_init(loop.uv(), &after_->handle));
  uv_prepare_start(&before_->handle, [](uv_prepare_t* prepare) noexcept {
    static_cast<Before*>(prepare->data)->before_wait();
  });
  uv_check_start(&after_->handle, [](uv_check_t* check) noexcept {
    After* const box = static_cast<After*>(check->data);
    uv_idle_stop(box->skip);
    box->after_poll();
  });
  uv_unref(as_handle(&before_->handle));
  uv_unref(as_handle(&after_->handle));
}

void LoopHooks::run_again() {
  uv_idle_start(&skip_->handle, [](uv_idle_t*) noexcept {});
}

}  // namespace zatt::loop
