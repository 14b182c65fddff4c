// SPDX-License-Identifier: AGPL-3.0-or-later
// The disk, and the thread that its batches are carried out on.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "loop/job_thread.h"
#include "storage/batch.h"
#include "storage/disk.h"

namespace zatt::server {

class DiskThread {
 public:
  explicit DiskThread(loop::Loop& loop) : thread_(loop) {}

  storage::Disk& set_disk(std::unique_ptr<storage::Disk> disk) {
    return *(disk_ = std::move(disk));
  }

  // One at a time. `done` comes from the loop, and not any more once this is destroyed.
  void submit(storage::Batch batch, std::function<void(storage::BatchResult)> done) {
    thread_.submit([this, work = std::move(batch)] { result_ = storage::run(*disk_, work); },
                   [this, then = std::move(done)] { then(std::move(result_)); });
  }
  // Waits until the disk has answered, so long at most. False: it hangs.
  bool wait_idle(std::uint64_t ms) { return thread_.wait_idle(ms); }

 private:
  std::unique_ptr<storage::Disk> disk_;
  storage::BatchResult result_;  // written by the thread, then read on the loop
  loop::JobThread thread_;
};

}  // namespace zatt::server
