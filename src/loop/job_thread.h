// SPDX-License-Identifier: AGPL-3.0-or-later
// One thread that carries out jobs in the order they came, and says so on the loop.
//
// libuv's own pool runs jobs in no order, and a name look-up there can hold up
// everybody else's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "loop/loop.h"

namespace zatt::loop {

class JobThread {
 public:
  explicit JobThread(Loop& loop);
  // Waits for the jobs that were submitted; their `done` is not called any more.
  ~JobThread();
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  // `job` runs on the thread, then `done` on the loop, where it must not destroy this.
  void submit(std::function<void()> job, std::function<void()> done);
  // Waits until no job is left, so long at most. False: one is still under way.
  bool wait_idle(std::uint64_t ms);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::loop
