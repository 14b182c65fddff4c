// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/disk_threads.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "loop/loop.h"
#include "storage/steps.h"
#include "tests/support/sim_disk.h"

using namespace zatt;
using server::DiskThreads;

namespace {

// A disk whose syncs end when a test lets them.
class HeldDisk final : public storage::Disk {
 public:
  void release_one() {
    const std::lock_guard lock(mutex_);
    ++released_;
    changed_.notify_all();
  }

  Result<std::vector<std::string>> list() override { return std::vector<std::string>(); }
  Result<std::uint64_t> size(const std::string&) override { return std::uint64_t{0}; }
  Result<std::string> read(const std::string& name, std::uint64_t, std::uint64_t) override {
    return name;
  }
  Status write(const std::string&, std::uint64_t, std::string_view) override { return ok; }
  Status sync(const std::string&) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return released_ > 0; });
    --released_;
    return ok;
  }
  Status push(const std::string&, std::uint64_t, std::uint64_t) override { return ok; }
  Status rename(const std::string&, const std::string&) override { return ok; }
  Status remove(const std::string&) override { return ok; }
  Status sync_directory() override { return ok; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int released_ = 0;
};

}  // namespace

TEST_CASE("disk_threads: reads wait for no sync, and each sync of a batch is seen") {
  loop::Loop loop;
  DiskThreads threads(loop);
  auto owned = std::make_unique<HeldDisk>();
  HeldDisk& disk = *owned;
  threads.set_disk(std::move(owned));
  std::vector<std::string> done;
  threads.submit({{storage::sync_step("a"), storage::sync_step("a")}}, [&](auto result) {
    CHECK(result.status);
    done.push_back("written");
  });
  for (const char* name : {"b", "c"})
    threads.read({{storage::read_step(name, 0, 1)}},
                 [&](auto result) { done.push_back(result.reads.at(0)); });
  while (done.size() < 2) loop.run_once();
  CHECK(done == std::vector<std::string>{"b", "c"});
  CHECK(threads.finished_syncs() == 0);
  CHECK(!threads.wait_idle(0));
  disk.release_one();
  while (threads.finished_syncs() < 1) std::this_thread::yield();
  disk.release_one();
  while (done.size() < 3) loop.run_once();
  CHECK(done.back() == "written");
  CHECK(threads.finished_syncs() == 2);
  CHECK(threads.wait_idle(1000));
}
