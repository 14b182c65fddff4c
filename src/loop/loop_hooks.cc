// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/loop_hooks.h"

#include <utility>

#include "loop/handle.h"

namespace zatt::loop {

using IdleBox = EventBox<uv_idle_s>;
using PrepareBox = EventBox<uv_prepare_s>;
using CheckBox = EventBox<uv_check_s>;
template struct Close<IdleBox>;
template struct Close<PrepareBox>;
template struct Close<CheckBox>;

LoopHooks::LoopHooks(Loop& loop, std::function<void()> after_poll,
                     std::function<void()> before_wait)
    : loop_(loop),
      skip_(new IdleBox{.on_event = [] {}}),
      before_(new PrepareBox{.on_event = std::move(before_wait)}),
      after_(new CheckBox{.on_event = [skip = &skip_->handle, then = std::move(after_poll)] {
        uv_idle_stop(skip);
        then();
      }}) {
  adopt(skip_.get(), uv_idle_init(loop.uv(), &skip_->handle));
  adopt(before_.get(), uv_prepare_init(loop.uv(), &before_->handle));
  adopt(after_.get(), uv_check_init(loop.uv(), &after_->handle));
  uv_prepare_start(&before_->handle, PrepareBox::call<>);
  uv_check_start(&after_->handle, CheckBox::call<>);
  uv_unref(as_handle(&before_->handle));
  uv_unref(as_handle(&after_->handle));
}

void LoopHooks::run_again() { uv_idle_start(&skip_->handle, IdleBox::call<>); }

}  // namespace zatt::loop
