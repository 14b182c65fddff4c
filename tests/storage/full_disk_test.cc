// SPDX-License-Identifier: AGPL-3.0-or-later
// src/storage: what a full disk does to the log, and what it must not.
#include <doctest/doctest.h>

#include "storage/storage.h"
#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::count;
using test::Crash;
using test::Host;
using test::lose_power;
using test::SimDisk;

// From here on, but for the reserve.
struct FullDisk {
  SimDisk disk;
  Host host{disk};

  FullDisk() {
    REQUIRE(host.start());
    REQUIRE(host.work());
    disk.limit_space(disk.used_bytes());
  }
};

// Appends until the disk has room for no more than this. Returns how many entries that took.
std::uint64_t fill_until(Host& host, DiskSpace room, std::size_t body_bytes) {
  const std::uint64_t before = host.last();
  while (host.storage->room() != room) {
    host.append(1, 1, body_bytes);
    REQUIRE(host.work());
    REQUIRE(host.last() < before + 100);
  }
  return host.last() - before;
}

}  // namespace

TEST_CASE("storage: room is kept in steps, and a disk that is full ends nothing") {
  FullDisk full;
  auto& [disk, host] = full;
  CHECK(host.storage->room() == DiskSpace::enough);
  CHECK(fill_until(host, DiskSpace::low, 3000) >= 4);  // three quarters of a segment
  CHECK(fill_until(host, DiskSpace::full, 100) >= 3);  // what was left of it, and the reserve
  CHECK(count(disk, ".seg") == 2);

  // Handed over all the same: it waits, and is not called durable; nor is what comes behind it.
  for (int i = 0; i < 10; ++i) host.append(1, 1, 3000);
  REQUIRE(host.work());
  const auto saved = host.save(9, std::nullopt);
  host.truncate(host.last() - 1);
  REQUIRE(host.work());
  CHECK(host.durable < saved);
  CHECK(host.storage->pending_bytes() > 10'000);
  for (int i = 0; i < 3; ++i) {  // tried again, less and less often
    REQUIRE(host.storage->wake_at_us() != never_us);
    const std::uint64_t wait_us = host.storage->wake_at_us() - host.now_us;
    CHECK(wait_us >= 5'000'000);
    CHECK(wait_us <= 60'000'000);
    host.now_us = host.storage->wake_at_us();
    REQUIRE(host.work());
    CHECK(host.storage->room() == DiskSpace::full);
  }
  CHECK(host.durable < saved);

  disk.limit_space(std::nullopt);
  host.now_us = host.storage->wake_at_us();
  REQUIRE(host.work());
  CHECK(host.durable >= saved);
  CHECK(host.storage->room() == DiskSpace::enough);
  CHECK(host.read_all(1 << 20) == host.lines());
  lose_power(disk);
  REQUIRE(host.start());
  CHECK(host.found_lines == host.lines());
  CHECK(host.found_hard_state->raft_state.current_term == Term{9});
}

TEST_CASE("storage: an entry too large for the reserve waits, and there is no room meanwhile") {
  FullDisk full;
  auto& [disk, host] = full;
  host.append(1, 1, 100'000);
  const auto saved = host.save(2, std::nullopt);  // behind it
  REQUIRE(host.work());
  CHECK(host.durable < saved);
  CHECK(host.storage->room() == DiskSpace::full);
  disk.limit_space(std::nullopt);
  host.now_us = host.storage->wake_at_us();
  REQUIRE(host.work());
  CHECK(host.durable >= saved);
  CHECK(host.storage->room() == DiskSpace::enough);
}

TEST_CASE("storage: a full disk matters little to who has a segment ready beside the reserve") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  for (int i = 0; i < 20; ++i) {
    host.append(1, 1, 3000);
    REQUIRE(host.work());
  }
  disk.limit_space(disk.used_bytes());
  fill_until(host, DiskSpace::low, 3000);
  host.truncate(0);
  REQUIRE(host.work());
  disk.limit_space(disk.used_bytes());
  CHECK(count(disk, ".spare") == 2);
  while (count(disk, ".seg") == 1) {
    CHECK(host.storage->room() == DiskSpace::enough);
    host.append(1, 1, 500);
    REQUIRE(host.work());
    REQUIRE(host.last() < 100);
  }
  CHECK(fill_until(host, DiskSpace::low, 500) >= 5);  // three quarters of the second
}

TEST_CASE("storage: a disk that was full is tried at once when more hangs on it") {
  FullDisk full;
  auto& [disk, host] = full;
  host.append(1, 1, 14'000);  // more than half of a segment
  REQUIRE(host.work());
  disk.limit_space(std::nullopt);
  host.append(1, 1, 10);
  REQUIRE(host.work());
  CHECK(host.storage->room() == DiskSpace::enough);
  CHECK(count(disk, ".spare") == 1);  // it was full just now
  while (count(disk, ".spare") == 1) {
    host.append(1, 1, 500);
    REQUIRE(host.work());
    REQUIRE(host.last() < 100);
  }
  CHECK(count(disk, ".seg") == 1);
  CHECK(host.storage->room() == DiskSpace::enough);
  CHECK(host.now_us < 5'000'000);
}

TEST_CASE("storage: what is cut off is not waited for") {
  FullDisk full;
  auto& [disk, host] = full;
  host.append(1, 1, 100);
  host.append(1, 1, 100'000);
  REQUIRE(host.work());
  CHECK(host.storage->room() == DiskSpace::full);
  const auto truncate = host.truncate(1);
  REQUIRE(host.work());
  CHECK(host.durable >= truncate);
  CHECK(host.storage->room() == DiskSpace::enough);
}

TEST_CASE("storage: a crash while the log waits for room loses nothing that was promised") {
  for (const Crash mode : {Crash::all_lost, Crash::all_kept}) {
    FullDisk full;
    auto& [disk, host] = full;
    fill_until(host, DiskSpace::full, 500);
    for (int i = 0; i < 10; ++i) host.append(1, 1, 3000);
    REQUIRE(host.work());
    lose_power(disk, mode);
    disk.limit_space(std::nullopt);
    REQUIRE(host.start());
    CHECK(host.verify() == "");
  }
}

TEST_CASE("storage: starts on a full disk leave nothing more behind each time") {
  FullDisk full;
  auto& [disk, host] = full;
  fill_until(host, DiskSpace::full, 500);
  const std::uint64_t used = disk.used_bytes();
  const std::uint64_t piece = test::options().segment_bytes / 4;
  for (std::uint64_t pieces = 1; pieces <= 3; ++pieces) {
    disk.limit_space(used + pieces * piece);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(!host.start());
      CHECK(host.error->sys == 28);
      CHECK(count(disk, ".new") <= 1);
    }
  }
  disk.limit_space(used + 4 * piece);  // a segment's worth is enough
  REQUIRE(host.start());
  CHECK(host.verify() == "");
}

}  // namespace zatt::storage
