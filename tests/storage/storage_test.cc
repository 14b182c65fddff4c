// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/storage.h"

#include <doctest/doctest.h>

#include <functional>

#include "base/bytes.h"
#include "base/checksum.h"
#include "storage/format.h"
#include "storage/slots.h"
#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::count;
using test::Crash;
using test::Host;
using test::Lines;
using test::lose_power;
using test::SimDisk;
using test::time_of;

}  // namespace

TEST_CASE("storage: an empty directory, then what was written is there again") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.scan());
  CHECK(!host.found_hard_state);
  CHECK(host.found_lines.empty());
  CHECK(disk.bytes_written() == 0);
  REQUIRE(host.start());
  const auto saved = host.save(3, MemberId{"1", 5});
  const auto appended = host.append(3, 5, 100);
  CHECK(host.durable < saved);
  CHECK(host.storage->pending_bytes() > 500);
  REQUIRE(host.work());
  CHECK(host.durable >= appended);
  CHECK(host.last() == 5);
  CHECK(host.storage->pending_bytes() == 0);

  lose_power(disk);
  REQUIRE(host.scan());
  CHECK(host.verify() == "");
  REQUIRE(host.start());
  CHECK(host.notes.empty());
  CHECK(host.found_lines.size() == 5);
}

TEST_CASE("storage: a write is durable only once its own batch is done") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  const auto first = host.append(1, 1, 10);
  REQUIRE(host.begin());
  const auto second = host.append(1, 1, 10);
  CHECK(!host.storage->take_batch(host.now_us));  // one in flight
  REQUIRE(host.finish());
  CHECK(host.durable == first);
  REQUIRE(host.work());
  CHECK(host.durable == second);
}

TEST_CASE("storage: one write is all of its parts, and its own number comes back") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 3, 10);
  REQUIRE(host.work());
  storage::HardState state = host.storage->hard_state();
  state.raft_state = {Term{2}, MemberId{"1", 5}, {}};
  const std::vector<EntryView> entries = {
      {Index{2}, Term{2}, time_of(2), EntryKind::command, "new"}};
  host.storage->write(
      {WriteNumber{17}, state, Index{1}, entries});  // numbers ascend, and may leave gaps
  CHECK(host.durable < 17);
  REQUIRE(host.work());
  CHECK(host.durable == 17);
  lose_power(disk);
  REQUIRE(host.scan());
  CHECK(host.found_hard_state == state);
  REQUIRE(host.found_lines.size() == 2);
  CHECK(host.found_lines[1] == test::Line{2, 2, "new"});
}

TEST_CASE("storage: what gathered is one batch") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  REQUIRE(host.work());  // the reserve
  const std::uint64_t before = disk.syncs();
  for (std::uint64_t term = 1; term <= 20; ++term) host.append(1, 1, 10);
  REQUIRE(host.work());
  CHECK(disk.syncs() == before + 1);

  for (std::uint64_t term = 2; term <= 20; ++term) host.save(term, std::nullopt);
  const auto last = host.save(21, std::nullopt);
  REQUIRE(host.work());
  CHECK(disk.syncs() == before + 3);  // the last one only, in both slots
  CHECK(host.durable == last);

  // A cut of what was not yet handed to the disk costs nothing.
  host.append(2, 5, 10);
  const auto write = host.truncate(20);
  const std::uint64_t written = disk.bytes_written();
  REQUIRE(host.work());
  CHECK(host.durable == write);
  CHECK(disk.bytes_written() == written);
  CHECK(host.last() == 20);
}

TEST_CASE("storage: one note when the log falls quiet, and an idle storage writes nothing") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  CHECK(host.storage->wake_at_us() == 0);
  REQUIRE(host.work());  // the reserve
  CHECK(host.storage->wake_at_us() == never_us);
  host.append(1, 1, 10);
  CHECK(host.storage->wake_at_us() == 0);
  REQUIRE(host.work());
  CHECK(host.storage->wake_at_us() == host.now_us + 1000);
  const std::uint64_t written = disk.bytes_written();
  const std::uint64_t syncs = disk.syncs();
  host.now_us += 999;
  CHECK(!host.begin());
  host.now_us += 1;
  REQUIRE(host.work());
  CHECK(disk.bytes_written() == written + unit);
  CHECK(disk.syncs() == syncs);
  CHECK(host.storage->wake_at_us() == host.now_us + 5'000'000);
  host.now_us += 4'999'999;
  CHECK(!host.begin());
  host.now_us += 1;
  REQUIRE(host.work());  // and one sync of it, when nothing came for so long
  CHECK(disk.bytes_written() == written + unit);
  CHECK(disk.syncs() == syncs + 1);
  for (int i = 0; i < 100; ++i) {
    CHECK(host.storage->wake_at_us() == never_us);
    host.now_us += 1'000'000;
    CHECK(!host.begin());
  }
  host.save(2, std::nullopt);
  REQUIRE(host.note());
  const std::uint64_t end = disk.bytes_written();
  CHECK(end == written + 3 * unit);  // two slots; the log's end is noted already
}

TEST_CASE("storage: entries are read back, over lives, cuts and notes") {
  for (const std::uint64_t max_bytes : {1UL, 3000UL, 1UL << 20}) {
    SimDisk disk;
    Host host(disk);
    REQUIRE(host.start());
    for (int i = 0; i < 12; ++i) {
      host.append(1, 3, i % 2 == 0 ? 20 : 3000);
      REQUIRE((i % 3 == 0 ? host.note() : host.work()));
      if (i == 5) host.truncate(host.last() - 7);
    }
    CHECK(host.read_all(max_bytes) == host.lines());
    lose_power(disk, Crash::all_kept);
    REQUIRE(host.start());
    CHECK(host.read_all(max_bytes) == host.lines());

    host.reads.clear();
    host.storage->read(Index{host.last() + 1}, 100);
    host.storage->read(Index{0}, 100);
    REQUIRE(host.work());
    REQUIRE(host.reads.size() == 2);
    CHECK(host.reads[0].entries.empty());
    CHECK(host.reads[1].entries.empty());

    // A cut while the read is under way: nothing that is cut off comes back.
    host.reads.clear();
    host.storage->read(Index{5}, 1 << 20);
    REQUIRE(host.begin());
    host.truncate(5);
    host.append(3, 2, 10);
    REQUIRE(host.finish());
    REQUIRE(host.reads.size() == 1);
    CHECK(host.reads[0].entries.size() == 1);
    CHECK(host.read_all(max_bytes) == host.lines());
  }
}

TEST_CASE("storage: damage met while reading ends it") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 3, 5000);
  REQUIRE(host.work());
  disk.flip_bit("0000000001.seg", (unit + 6000) * 8);
  host.storage->read(Index{1}, 1 << 20);
  REQUIRE(host.work());
  CHECK(host.reads.at(0).entries.size() == 1);  // what is good is good
  host.storage->read(Index{2}, 1 << 20);
  CHECK(!host.work());
  REQUIRE(host.error);
  CHECK(host.error->code == Code::corrupt);
  CHECK(host.error->detail.find("0000000001.seg: entry 2") != std::string::npos);
  CHECK(!host.storage->take_batch(host.now_us));
}

TEST_CASE("storage: an entry larger than a segment") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 1, 10);
  host.append(1, 1, 300'000);
  host.append(1, 1, max_body_bytes);
  host.append(1, 2, 10);
  REQUIRE(host.work());
  CHECK(host.read_all(1) == host.lines());
  CHECK(host.read_all(64 << 20) == host.lines());
  lose_power(disk);
  REQUIRE(host.start());
  CHECK(host.found_lines == host.lines());
  host.truncate(1);
  REQUIRE(host.work());
  CHECK(host.read_all(1) == host.lines());
}

TEST_CASE("storage: a batch syncs every 4 MiB, so that a slow disk is seen to work") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 1, max_body_bytes);
  std::uint64_t since_sync = 0, most = 0, written = 0;
  while (auto batch = host.storage->take_batch(host.now_us)) {
    for (const Step& step : batch->steps) {
      if (step.kind == Step::Kind::sync) since_sync = 0;
      if (step.kind == Step::Kind::write) since_sync += step.bytes.size();
      if (step.kind == Step::Kind::fill) since_sync += step.length;
      if (step.kind == Step::Kind::write) written += step.bytes.size();
      most = std::max(most, since_sync);
    }
    REQUIRE(host.storage->on_done(run(disk, *batch), host.now_us).status);
  }
  CHECK(written > max_body_bytes);
  CHECK(most <= sync_every_bytes + 2 * unit);
  CHECK(host.read_all(1) == host.lines());
}

TEST_CASE("storage: a reserve and the next segment are made ahead, in slices") {
  Options given = test::options();
  given.segment_bytes = 1 << 20;
  SimDisk disk;
  Host host(disk, given);
  REQUIRE(host.start());
  std::uint64_t most = 0;
  const auto append_until = [&](std::uint64_t pool) {
    while (count(disk, ".spare") < pool) {
      host.append(1, 1, 8000);
      const std::uint64_t written = disk.bytes_written();
      REQUIRE(host.step());
      most = std::max(most, disk.bytes_written() - written);
      REQUIRE(host.last() < 200);
    }
  };
  append_until(1);
  CHECK(host.last() < 10);  // the reserve, at once
  append_until(2);
  CHECK(host.last() > 60);  // the next, from the half on
  CHECK(most <= (256 << 10) + 12288);
  REQUIRE(host.work());
  while (count(disk, ".seg") == 1) {
    host.append(1, 1, 8000);
    const std::uint64_t written = disk.bytes_written();
    REQUIRE(host.step());
    // A header, and two slots that tell of it: never a whole segment in line.
    CHECK(disk.bytes_written() - written <= 12288 + 3 * unit);
  }
  CHECK(count(disk, ".spare") == 1);
  CHECK(count(disk, ".new") == 0);
}

TEST_CASE("storage: of a backlog larger than the ready segments, what is synced is durable") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  REQUIRE(host.work());
  std::vector<std::uint64_t> writes;
  for (int i = 0; i < 12; ++i) writes.push_back(host.append(1, 1, 20'000));  // one a segment
  std::vector<std::uint64_t> durable;
  while (host.durable < writes.back()) {
    REQUIRE(host.step());
    if (durable.empty() || host.durable > durable.back()) durable.push_back(host.durable);
  }
  CHECK(durable.size() > 6);
  lose_power(disk);
  REQUIRE(host.scan());
  CHECK(host.verify() == "");
  CHECK(host.found_lines.size() == 12);
}

TEST_CASE("storage: behind a cut that waits for a segment nothing is durable, before it all is") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 3, 100);
  REQUIRE(host.work());
  disk.limit_space(disk.used_bytes());
  // Takes what is ready, and more.
  for (int i = 0; i < 4; ++i) host.append(1, 1, 25'000);
  while (host.begin()) static_cast<void>(host.finish());
  REQUIRE(!host.error);
  const std::uint64_t reached = host.durable;
  const std::uint64_t before = host.save(2, std::nullopt);
  const std::uint64_t truncate = host.truncate(1);
  host.append(2, 1, 100);
  for (int i = 0; i < 3 && host.begin(); ++i) REQUIRE(host.finish());
  CHECK(host.durable >= reached);
  CHECK(host.durable < truncate);
  CHECK(before < truncate);
  disk.limit_space(std::nullopt);
  host.now_us += 120'000'000;
  REQUIRE(host.work());
  CHECK(host.durable > truncate);
  lose_power(disk);
  REQUIRE(host.scan());
  CHECK(host.verify() == "");
  CHECK(host.found_lines.size() == 2);
}

TEST_CASE("storage: segments that a cut ends are used again, and at most two are kept") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  for (int i = 0; i < 40; ++i) {
    host.append(1, 1, 3000);
    REQUIRE(host.work());
  }
  CHECK(count(disk, ".seg") > 5);
  host.truncate(0);
  REQUIRE(host.work());
  CHECK(count(disk, ".seg") == 1);
  CHECK(count(disk, ".spare") == 2);
  for (int i = 0; i < 40; ++i) {
    host.append(2, 1, 3000);
    REQUIRE(host.work());
  }
  lose_power(disk);
  REQUIRE(host.start());
  CHECK(host.found_lines == host.lines());
  CHECK(count(disk, ".new") == 0);
}

TEST_CASE("storage: a torn tail is cut off, and a person is told") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 1, 100);
  REQUIRE(host.work());
  host.append(1, 2, 2000);
  disk.crash_at(1);
  host.work();
  lose_power(disk, Crash::all_kept);
  disk.overwrite_at_rest("0000000001.seg", 2 * unit + 512, std::string(512, 'x'));
  REQUIRE(host.scan());
  CHECK(!host.damage);
  CHECK(host.found_lines.size() == 1);
  REQUIRE(host.notes.size() == 1);
  CHECK(host.notes[0] ==
        "the log's last 2,053 bytes are a write that was under way when the node or the machine "
        "stopped; they were cut off");
}

TEST_CASE("storage: damage is named, its floor is stored, and the log goes on where it is whole") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 100);
  REQUIRE(host.work());
  host.append(2, 2, 100);
  REQUIRE(host.note());
  lose_power(disk, Crash::all_kept);
  disk.flip_bit("0000000001.seg", (2 * unit + 60) * 8);
  REQUIRE(host.start());
  REQUIRE(host.damage);
  CHECK(host.damage->file == "0000000001.seg");
  CHECK(host.damage->offset == unit + 2 * (record_header_size + 100));
  CHECK(host.damage->what ==
        "entries 3 to 4 were durable and are unreadable, and so is what came after");
  CHECK(host.last() == 2);
  CHECK(host.storage->hard_state().raft_state.floor.term == Term{2});
  CHECK(host.storage->hard_state().raft_state.floor.index == Index{4});
  host.append(3, 1, 100);
  REQUIRE(host.work());
  lose_power(disk);
  REQUIRE(host.scan());
  CHECK(host.verify() == "");  // it is repaired as far as this directory goes
  CHECK(host.found_hard_state->raft_state.floor.index == Index{4});
}

TEST_CASE("storage: a directory that is not ours, or not all there, is refused in words") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 100);
  REQUIRE(host.work());
  lose_power(disk);
  const auto refusal = [&](const std::function<void(SimDisk&)>& spoil) {
    const auto corrupt = disk.clone();
    spoil(*corrupt);
    Host next(*corrupt);
    CHECK(!next.scan());
    return next.error.value_or(Error{Code::io, 0, "", ""});
  };
  const Error both = refusal([](SimDisk& d) {
    d.flip_bit("hard_state", 300);
    d.flip_bit("hard_state", slot_bytes * 8 + 300);
  });
  CHECK(both.code == Code::corrupt);
  CHECK(to_string(both) ==
        "damaged identity is not empty: zatt.0.persist/hard_state: both copies of this node's "
        "identity and vote are unreadable. Put back a whole copy that is as new, or move the "
        "directory away: then the node gets the log from the others, and neither votes nor counts");
  const Error missing = refusal([](SimDisk& d) { REQUIRE(d.remove("hard_state")); });
  CHECK(missing.code == Code::corrupt);
  CHECK(missing.detail == "zatt.0.persist: hard_state is missing, but 0000000001.seg is there");

  SegmentHeader header;
  header.segment = 1;
  header.incarnation = 78;
  const Error foreign =
      refusal([&](SimDisk& d) { d.overwrite_at_rest("0000000001.seg", 0, encode(header)); });
  CHECK(foreign.code == Code::foreign);
}

}  // namespace zatt::storage
