// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/job_thread.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "loop/async.h"
#include "loop/thread.h"

namespace zatt::loop {

struct JobThread::Impl {
  struct Job {
    std::function<void()> job;
    std::function<void()> done;
  };

  explicit Impl(Loop& loop) : wake(loop, [this] { deliver(); }) {}

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return closing || !jobs.empty(); });
      if (jobs.empty()) return;
      Job next = std::move(jobs.front());
      jobs.pop_front();
      busy = true;
      lock.unlock();
      next.job();
      next.job = nullptr;  // what it holds is freed here, not on the loop
      lock.lock();
      busy = false;
      if (jobs.empty()) idle.notify_all();
      finished.push_back(std::move(next.done));
      wake.send();
    }
  }

  void deliver() {
    {
      const std::lock_guard lock(mutex);
      delivered.swap(finished);
    }
    for (const auto& done : delivered) done();
    delivered.clear();
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::condition_variable idle;
  std::deque<Job> jobs;
  std::vector<std::function<void()>> finished;
  std::vector<std::function<void()>> delivered;  // the loop's
  bool closing = false;
  bool busy = false;
  Async wake;
  std::thread thread;
};

JobThread::JobThread(Loop& loop) : impl_(std::make_unique<Impl>(loop)) {
  impl_->thread = quiet_thread([impl = impl_.get()] { impl->run(); });
}

JobThread::~JobThread() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->changed.notify_one();
  impl_->thread.join();
}

bool JobThread::wait_idle(std::uint64_t ms) {
  std::unique_lock lock(impl_->mutex);
  return impl_->idle.wait_for(lock, std::chrono::milliseconds(ms),
                              [this] { return impl_->jobs.empty() && !impl_->busy; });
}

void JobThread::submit(std::function<void()> job, std::function<void()> done) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->jobs.push_back({std::move(job), std::move(done)});
  }
  impl_->changed.notify_one();
}

}  // namespace zatt::loop
