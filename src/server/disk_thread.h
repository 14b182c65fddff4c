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
    batch_ = std::move(batch);
    done_ = std::move(done);
    thread_.submit([this] { result_ = storage::run(*disk_, std::exchange(batch_, {})); },
                   [this] { std::exchange(done_, nullptr)(std::move(result_)); });
  }
  // Waits until the disk has answered, so long at most. False: it hangs.
  bool wait_idle(std::uint64_t ms) { return thread_.wait_idle(ms); }

 private:
  std::unique_ptr<storage::Disk> disk_;
  storage::Batch batch_;         // written on the loop, then read by the thread
  storage::BatchResult result_;  // the other way round
  std::function<void(storage::BatchResult)> done_;
  loop::JobThread thread_;
};

}  // namespace zatt::server
