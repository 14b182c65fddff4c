// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_reads.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <string>
#include <vector>

#include "tests/storage/harness.h"

using namespace zatt;
using namespace zatt::storage;
using zatt::test::Host;
using zatt::test::Lines;
using zatt::test::SimDisk;

namespace {

Options large_segments() {
  Options given = test::options();
  given.segment_bytes = 4 << 20;
  return given;
}

// The disk's two ways, each gone on with when a test says so.
struct Ways {
  explicit Ways(Options given = test::options()) : host(disk, std::move(given)) {
    REQUIRE(host.start());
  }

  bool take_read() {
    auto batch = host.storage->take_read(host.now_us);
    if (batch) reads.push_back(std::move(*batch));
    return batch.has_value();
  }
  Storage::Done finish_read() {
    REQUIRE(!reads.empty());
    const Batch batch = std::move(reads.front());
    reads.pop_front();
    return host.storage->on_read(run(disk, batch), host.now_us);
  }
  Batch take_batch() {
    auto batch = host.storage->take_batch(host.now_us);
    REQUIRE(batch);
    return std::move(*batch);
  }
  // All pieces of what was asked for, in order.
  Lines finish_reads() {
    Lines lines;
    while (take_read() || !reads.empty()) {
      const Storage::Done done = finish_read();
      REQUIRE(done.status);
      for (const Storage::ReadDone& read : done.reads)
        for (const Entry& entry : read.entries) lines.push_back(test::line_of(entry.view()));
    }
    return lines;
  }

  SimDisk disk;
  Host host;
  std::deque<Batch> reads;
};

std::size_t takes_away(const Batch& batch, const std::string& name) {
  return static_cast<std::size_t>(
      std::count_if(batch.steps.begin(), batch.steps.end(), [&](const Step& step) {
        return (step.kind == Step::Kind::rename || step.kind == Step::Kind::remove) &&
               step.name == name;
      }));
}

}  // namespace

TEST_CASE(
    "log_reads: a long read comes in pieces, the next asked for while the last is under way") {
  Ways ways(large_segments());
  ways.host.append(1, 400, 4000);
  REQUIRE(ways.host.work());
  const std::uint64_t number = ways.host.storage->read(Index{1}, 1 << 20, Index{390});
  CHECK(ways.take_read());
  CHECK(ways.take_read());
  CHECK(!ways.take_read());  // two, so that what is read and not answered is bounded
  CHECK(ways.host.storage->read_wake_at_us() == never_us);
  std::uint64_t next = 1, pieces = 0;
  bool is_last = false;
  while (!is_last) {
    const Storage::Done done = ways.finish_read();
    REQUIRE(done.reads.size() == 1);
    ++pieces;
    CHECK(done.reads[0].number == number);
    for (const Entry& entry : done.reads[0].entries) CHECK(raw(entry.index) == next++);
    is_last = done.reads[0].is_last;
    ways.take_read();
  }
  CHECK(pieces >= 4);
  CHECK(next > (1 << 20) / 4200);
  CHECK(next < (1 << 20) / 3800 + 64);
  CHECK(ways.reads.empty());

  // Two who ask take turns, and nobody hears of more than was asked for.
  ways.host.storage->read(Index{1}, 1 << 20, Index{3});
  ways.host.storage->read(Index{200}, 1 << 20, Index{210});
  CHECK(ways.take_read());
  CHECK(ways.take_read());
  CHECK(ways.finish_read().reads.at(0).entries.front().index == Index{1});
  CHECK(ways.finish_read().reads.at(0).entries.front().index == Index{200});
}

TEST_CASE("log_reads: no read waits for a sync, and none sees what has had none") {
  Ways ways;
  ways.host.append(1, 3, 100);
  REQUIRE(ways.host.work());
  ways.host.append(1, 2, 100);
  const Batch batch = ways.take_batch();
  ways.host.storage->read(Index{1}, 1 << 20);
  ways.host.storage->read(Index{4}, 1 << 20);
  CHECK(ways.take_read());
  CHECK(ways.take_read());
  CHECK(ways.finish_read().reads.at(0).entries.size() == 3);
  CHECK(ways.finish_read().reads.at(0).entries.empty());
  REQUIRE(ways.host.storage->on_done(run(ways.disk, batch), ways.host.now_us).status);
  ways.host.storage->read(Index{4}, 1 << 20);
  CHECK(ways.finish_reads().size() == 2);
}

TEST_CASE("log_reads: a segment that is cut off is left alone while it is read") {
  Ways ways;
  ways.host.append(1, 1, 100);
  ways.host.append(1, 20, 3000);  // two segments
  REQUIRE(ways.host.work());
  while (ways.host.storage->wake_at_us() == 0) REQUIRE(ways.host.work());
  const std::uint64_t last = ways.host.last();
  ways.host.storage->read(Index{last - 1}, 1 << 20);
  REQUIRE(ways.take_read());
  const std::string name = ways.reads.front().steps.at(0).name;
  REQUIRE(name != "0000000001.seg");

  ways.host.truncate(1);
  ways.host.append(2, 1, 100);
  std::size_t taken_away = 0;
  while (ways.host.storage->wake_at_us() == 0) {
    const Batch batch = ways.take_batch();
    taken_away += takes_away(batch, name);
    REQUIRE(ways.host.storage->on_done(run(ways.disk, batch), ways.host.now_us).status);
  }
  CHECK(taken_away == 0);
  SUBCASE("what it said is gone") {
    // Whatever the file holds by now.
    ways.disk.overwrite_at_rest(name, 0, std::string(32 << 10, 'x'));
  }
  SUBCASE("and so is what could not be read") { ways.disk.fail_call(0, EIO); }
  const Storage::Done done = ways.finish_read();
  CHECK(done.status);
  REQUIRE(done.reads.size() == 1);
  CHECK(done.reads[0].entries.empty());
  CHECK(done.reads[0].is_last);
  ways.disk.clear_faults();

  // Then it is taken away, at once.
  CHECK(ways.host.storage->wake_at_us() == 0);
  CHECK(takes_away(ways.take_batch(), name) == 1);
}

TEST_CASE("log_reads: a read that finds no descriptor is done a second later, whole") {
  for (const std::uint64_t failing : {0U, 1U, 2U}) {
    Ways ways(large_segments());
    ways.host.append(1, 300, 4000);
    REQUIRE(ways.host.work());
    ways.host.storage->read(Index{1}, 1 << 20);
    ways.disk.fail_call(failing, EMFILE);
    Lines lines = ways.finish_reads();
    ways.disk.clear_faults();
    CHECK(lines.size() < 250);
    CHECK(ways.host.storage->read_wake_at_us() == ways.host.now_us + 1'000'000);
    ways.host.now_us += 1'000'000;
    for (const test::Line& line : ways.finish_reads()) lines.push_back(line);
    CHECK(lines.size() >= 250);
    CHECK(test::is_prefix(lines, ways.host.lines()));
  }
}

TEST_CASE("log_reads: a stop waits for what is under way") {
  Ways ways;
  ways.host.append(1, 3, 100);
  REQUIRE(ways.host.work());
  ways.host.storage->read(Index{1}, 1 << 20);
  REQUIRE(ways.take_read());
  ways.host.storage->stop();
  REQUIRE(ways.host.work());
  CHECK(!ways.host.storage->is_stopped());
  CHECK(ways.finish_read().status);
  REQUIRE(ways.host.work());
  CHECK(ways.host.storage->is_stopped());
}

TEST_CASE("log_reads: what fails a read ends the storage, for a write under way too") {
  Ways ways;
  ways.host.append(1, 3, 100);
  REQUIRE(ways.host.work());
  ways.host.append(1, 1, 100);
  const Batch batch = ways.take_batch();
  ways.host.storage->read(Index{1}, 1 << 20);
  REQUIRE(ways.take_read());
  ways.disk.fail_call(0, EIO);
  CHECK(ways.finish_read().status.error().sys == EIO);
  ways.disk.clear_faults();
  CHECK(ways.host.storage->on_done(run(ways.disk, batch), ways.host.now_us).status.error().sys ==
        EIO);
  CHECK(!ways.host.storage->take_batch(ways.host.now_us));
  CHECK(!ways.take_read());
}
