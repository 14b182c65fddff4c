// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/recovery.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "storage/format.h"
#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::Crash;
using test::Host;
using test::lose_power;
using test::SimDisk;

}  // namespace

TEST_CASE("rule 16: a repair writes first the slot that it did not read") {
  // The process is killed between the slots of a save, whose log-end record alone covers the last
  // entry; that entry rots; and the power fails while the next start repairs.
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 100);
  REQUIRE(host.work());
  host.append(1, 1, 100);
  REQUIRE(host.work());
  host.save(1, std::nullopt);
  REQUIRE(host.finish_in_part(2));
  disk.kill();
  disk.flip_bit(file_name(FileKind::segment, test::newest_segment(disk)), 8 * (2 * 4096 + 21));
  std::size_t images = 0;
  for (std::uint64_t step = 0;; ++step) {
    const auto repairing = disk.clone();
    Host repair(*repairing);
    repairing->crash_at_change(step);
    const bool is_through = repair.start();
    REQUIRE(repair.damage);
    CHECK(repair.damage->floor_is_open);
    if (is_through) break;
    for (const Crash mode : test::every_crash) {
      for (std::uint64_t seed = 0; seed < 12; ++seed) {
        const auto image = repairing->clone();
        lose_power(*image, mode, seed);
        Host next(*image);
        next.scan();
        CAPTURE(step);
        CAPTURE(static_cast<int>(mode));
        REQUIRE_FALSE(next.error);
        CHECK((next.damage || next.found_hard_state->raft_state.floor.open_term));
        ++images;
      }
    }
  }
  CHECK(images > 0);
}

namespace {

// A log that has rolled over, cut back before that, and the process killed at call `n` of the cut.
std::unique_ptr<SimDisk> killed_in_a_cut(std::uint64_t n) {
  auto disk = std::make_unique<SimDisk>();
  Host host(*disk);
  REQUIRE(host.start());
  for (int i = 0; i < 20; ++i) {
    host.append(1, 1, 100);
    REQUIRE(host.work());
  }
  host.truncate(2);
  disk->crash_at_change(n);  // nothing is done from there on
  host.work();
  disk->clear_faults();
  disk->kill();
  return disk;
}

// Works on it, and says what a start then finds wrong.
std::string work_on(SimDisk& disk) {
  Host host(disk);
  if (!host.start()) return "no start: " + to_string(*host.error);
  if (host.damage) return "damage: " + host.damage->what;
  for (int i = 0; i < 12; ++i) {
    host.append(9, 1, 100);
    if (!host.work()) return "no work";
  }
  lose_power(disk);
  host.scan();
  if (host.damage) return "later damage: " + host.damage->what;
  return host.verify();
}

}  // namespace

TEST_CASE("recovery: a name that a killed process gave is durable before a start builds on it") {
  std::size_t images = 0;
  for (std::uint64_t n = 0; n < 30; ++n) {
    const auto disk = killed_in_a_cut(n);
    for (std::uint64_t step = 0;; ++step) {
      const auto starting = disk->clone();
      Host host(*starting);
      starting->crash_at_change(step);
      if (host.start()) break;
      for (const Crash mode : test::every_crash) {
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
          const auto image = starting->clone();
          lose_power(*image, mode, seed);
          CAPTURE(n);
          CAPTURE(step);
          CAPTURE(static_cast<int>(mode));
          CHECK(work_on(*image) == "");
          ++images;
        }
      }
    }
  }
  CHECK(images > 1000);
}

}  // namespace zatt::storage
