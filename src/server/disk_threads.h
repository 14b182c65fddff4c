// SPDX-License-Identifier: AGPL-3.0-or-later
// The disk, and the threads that its batches are carried out on: one for what changes it, and one
// for reads, which so wait for no sync.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "loop/job_thread.h"
#include "storage/batch.h"
#include "storage/disk.h"

namespace zatt::server {

class DiskThreads {
 public:
  explicit DiskThreads(loop::Loop& loop) : writing_(loop), reading_(loop) {}

  storage::Disk& set_disk(std::unique_ptr<storage::Disk> disk) {
    return *(disk_ = std::move(disk));
  }

  // One at a time. `done` comes from the loop, and not any more once this is destroyed.
  void submit(storage::Batch batch, std::function<void(storage::BatchResult)> done) {
    batch_ = std::move(batch);
    done_ = std::move(done);
    writing_.submit(
        [this] { result_ = storage::run(*disk_, std::exchange(batch_, {}), [this] { ++syncs_; }); },
        [this] { std::exchange(done_, nullptr)(std::move(result_)); });
  }
  // Of those batches; any time.
  std::uint64_t finished_syncs() const { return syncs_; }
  // The same of reads, beside that one, and as many as are wanted; `done` comes in their order.
  void read(storage::Batch batch, std::function<void(storage::BatchResult)> done) {
    auto job = std::make_shared<Read>();
    job->batch = std::move(batch);
    reading_.submit([this, job] { job->result = storage::run(*disk_, job->batch); },
                    [job, done = std::move(done)] { done(std::move(job->result)); });
  }
  // Waits until the disk has answered, so long at most each way. False: it hangs.
  bool wait_idle(std::uint64_t ms) { return writing_.wait_idle(ms) && reading_.wait_idle(ms); }

 private:
  struct Read {  // as batch_ and result_ below
    storage::Batch batch;
    storage::BatchResult result;
  };

  std::unique_ptr<storage::Disk> disk_;
  storage::Batch batch_;         // written on the loop, then read by the thread
  storage::BatchResult result_;  // the other way round
  std::atomic<std::uint64_t> syncs_{0};
  std::function<void(storage::BatchResult)> done_;
  loop::JobThread writing_;
  loop::JobThread reading_;
};

}  // namespace zatt::server
