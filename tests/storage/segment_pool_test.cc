// SPDX-License-Identifier: AGPL-3.0-or-later
// Spare segments larger than one slice. Most other tests have segments of a slice or less.
#include "storage/segment_pool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::count;
using test::Crash;
using test::Host;
using test::lose_power;
using test::SimDisk;

constexpr std::uint64_t slice_bytes = 256 << 10;
constexpr std::uint64_t segment_bytes = 4 * slice_bytes + slice_bytes / 2;
constexpr std::uint64_t slices = 5;

Options large() {
  Options given = test::options();
  given.segment_bytes = segment_bytes;
  return given;
}

// One batch: how many bytes it wrote.
template <class Plan>
std::uint64_t written_by(SimDisk& disk, Plan plan) {
  Batch batch;
  plan(batch.steps);
  const std::uint64_t before = disk.bytes_written();
  REQUIRE(run(disk, batch).status);
  return disk.bytes_written() - before;
}

std::uint64_t make_slice(SimDisk& disk, SegmentPool& pool) {
  const std::uint64_t bytes =
      written_by(disk, [&](std::vector<Step>& steps) { pool.make_slice(steps); });
  pool.on_made_slice();
  return bytes;
}

// As the process sees it: the name of an unfinished file is synced only when it gets another.
std::uint64_t size(SimDisk& disk, const std::string& name) {
  const auto bytes = disk.size(name);
  return bytes ? *bytes : 0;
}

const std::string unfinished = file_name(FileKind::unfinished, 7);
const std::string spare = file_name(FileKind::spare, 7);

}  // namespace

TEST_CASE("segment pool: one larger than a slice is made in slices, and is ready after the last") {
  SimDisk disk;
  SegmentPool pool(segment_bytes, {}, std::nullopt, 7);
  for (std::uint64_t made = 1; made < slices; ++made) {
    CHECK(make_slice(disk, pool) == slice_bytes);
    CHECK(size(disk, unfinished) == made * slice_bytes);
    CHECK(pool.ready() == 0);
    CHECK(!pool.has_ready(1));
  }
  CHECK(make_slice(disk, pool) == slice_bytes / 2);
  CHECK(pool.ready() == 1);
  CHECK(pool.has_ready(segment_bytes));
  CHECK(disk.durable_names() == std::vector{spare});
  CHECK(disk.durable_size(spare) == segment_bytes);
}

TEST_CASE("segment pool: who needs one that is half made writes only what is missing of it") {
  SimDisk disk;
  SegmentPool pool(segment_bytes, {}, std::nullopt, 7);
  make_slice(disk, pool);
  make_slice(disk, pool);
  const std::string name = file_name(FileKind::segment, 1);
  CHECK(written_by(disk, [&](std::vector<Step>& steps) {
          CHECK(pool.provide(name, 1, steps) == segment_bytes);
        }) == segment_bytes - 2 * slice_bytes);
  CHECK(disk.durable_names() == std::vector{name});
  CHECK(disk.durable_size(name) == segment_bytes);
  // The next one begins anew, under a number of its own.
  CHECK(make_slice(disk, pool) == slice_bytes);
  CHECK(size(disk, file_name(FileKind::unfinished, 8)) == slice_bytes);
}

TEST_CASE("segment pool: a disk that fills up between slices: the next try writes all anew") {
  SimDisk disk;
  SegmentPool pool(segment_bytes, {}, std::nullopt, 7);
  make_slice(disk, pool);
  disk.limit_space(slice_bytes);
  Batch batch;
  pool.make_slice(batch.steps);
  REQUIRE(!run(disk, batch).status);
  pool.on_disk_full(1);
  CHECK(pool.is_stuck());
  disk.limit_space(std::nullopt);
  std::uint64_t written = 0;
  for (std::uint64_t made = 0; made < slices; ++made) {
    CHECK(pool.is_stuck());
    CHECK(pool.ready() == 0);
    written += make_slice(disk, pool);
  }
  CHECK(written == segment_bytes);
  CHECK(!pool.is_stuck());
  CHECK(pool.ready() == 1);
}

TEST_CASE("segment pool: a crash in or between the slices of one leaves it to be finished") {
  std::size_t between = 0;  // the crashes that left one unfinished
  for (const Crash mode : test::every_crash) {
    for (std::uint64_t change = 0; change < 100; ++change) {
      CAPTURE(test::to_string(mode));
      CAPTURE(change);
      SimDisk disk;
      Host host(disk, large());
      REQUIRE(host.start());
      host.append(1, 3, 100);
      disk.crash_at_change(change);
      const bool done = host.work();
      lose_power(disk, mode);
      disk.clear_faults();
      between += count(disk, ".new");
      REQUIRE(host.scan());
      REQUIRE(host.verify() == "");
      REQUIRE(host.start());
      REQUIRE(host.work());
      CHECK(count(disk, ".new") == 0);
      CHECK(count(disk, ".spare") == 1);
      for (const std::string& name : disk.durable_names())
        if (name.ends_with(".spare")) CHECK(disk.durable_size(name) == segment_bytes);
      if (done) break;
      CHECK(change < 99);
    }
  }
  CHECK(between > slices * std::size(test::every_crash));
}

TEST_CASE("segment pool: the segment that a crash left unfinished is a good one later") {
  SimDisk disk;
  Host host(disk, large());
  REQUIRE(host.start());
  REQUIRE(host.step());
  REQUIRE(host.step());
  lose_power(disk, Crash::all_kept);
  REQUIRE(count(disk, ".new") == 1);
  REQUIRE(host.start());
  while (count(disk, ".seg") < 3) {
    host.append(1, 8, 30'000);
    REQUIRE(host.work());
    REQUIRE(host.last() < 400);
  }
  lose_power(disk, Crash::all_lost);
  REQUIRE(host.scan());
  CHECK(host.verify() == "");
  REQUIRE(host.start());
  CHECK(host.read_all(1 << 20) == host.lines());
}

TEST_CASE(
    "segment pool: one that somebody made longer is used for as much of it as is whole units") {
  for (std::uint64_t more = 100; more < 8000; more += 300) {
    CAPTURE(more);
    SimDisk disk;
    Host host(disk);
    REQUIRE(host.start());
    for (host.append(1, 1, 100); count(disk, ".spare") == 0; host.append(1, 1, 100))
      REQUIRE(host.work());
    REQUIRE(host.work());
    REQUIRE(host.stop());
    for (const std::string& name : disk.durable_names()) {
      if (!name.ends_with(".spare")) continue;
      REQUIRE(disk.write(name, *disk.size(name), std::string(more, 'x')));
      REQUIRE(disk.sync(name));
    }
    REQUIRE(host.start());
    for (int i = 0; i < 30; ++i) {
      host.append(1, 1, 3000);
      REQUIRE(host.work());
    }
    lose_power(disk);
    REQUIRE(host.scan());
    CHECK(host.verify() == "");
  }
}

}  // namespace zatt::storage
