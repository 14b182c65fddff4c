// SPDX-License-Identifier: AGPL-3.0-or-later
// The two fixed points of every turn of the loop: input has been read, and about to wait.
//
// A turn of libuv runs timers first, then waits for input and delivers it. A timer that must not
// act on old news (an election timeout after the process was stopped for a while: the leader's
// heartbeats are in the socket, unread) therefore only notes that it fired and calls run_again();
// what it stands for is done in after_poll.
#pragma once

#include <functional>

#include "loop/box.h"
#include "loop/loop.h"

struct uv_check_s;
struct uv_idle_s;
struct uv_prepare_s;

namespace zatt::loop {

class LoopHooks {
 public:
  // `after_poll`: all input that was there has been delivered. `before_wait`: nothing is left to
  // do in this turn. Neither keeps the loop alive.
  LoopHooks(Loop& loop, std::function<void()> after_poll, std::function<void()> before_wait);

  // Do not wait for input in the coming turn, only take what is there.
  void run_again();
  bool is_over() const noexcept { return loop_.turn_is_over(); }

 private:
  const Loop& loop_;
  Owned<EventBox<uv_idle_s>> skip_;  // libuv does not wait while an idle handle is active
  Owned<EventBox<uv_prepare_s>> before_;
  Owned<EventBox<uv_check_s>> after_;
};

}  // namespace zatt::loop
