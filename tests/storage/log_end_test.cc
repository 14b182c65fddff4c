// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_end.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "storage/slots.h"
#include "storage/steps.h"
#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::Crash;
using test::Host;
using test::lose_power;
using test::SimDisk;
using test::time_of;

}  // namespace

TEST_CASE("log end: a record is read as it was written") {
  LogEndRecord record;
  record.segment = 7;
  record.end = {Index{9}, Term{3}, 0x1122334455667788};
  record.configuration = Index{4};
  for (const bool is_clean : {false, true}) {
    record.is_clean = is_clean;
    std::string bytes;
    Writer out(bytes);
    encode(record, out);
    CHECK(bytes.size() == log_end_record_size);
    Reader in(bytes);
    CHECK(decode_log_end(in) == record);
    CHECK(in.done());
    Reader shorter(std::string_view(bytes).substr(1));
    static_cast<void>(decode_log_end(shorter));
    CHECK(!shorter.ok());
  }
}

TEST_CASE("log end: the log-end record names the configuration before that is durable") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  const auto named = [&] { return read_slots(disk)->log_end.configuration; };
  CHECK(named() == Index{0});
  const std::vector<EntryView> first = {
      {Index{1}, Term{0}, time_of(1), EntryKind::configuration, "c"},
      {Index{2}, Term{1}, time_of(2), EntryKind::command, "x"},
  };
  host.storage->write({.number = WriteNumber{1}, .append = first});
  REQUIRE(host.step());
  CHECK(host.durable == 1);
  CHECK(named() == Index{1});
  const std::vector<EntryView> second = {
      {Index{3}, Term{1}, time_of(3), EntryKind::configuration, "d"}};
  host.storage->write({.number = WriteNumber{2}, .append = second});
  REQUIRE(host.work());
  CHECK(named() == Index{3});
  lose_power(disk);
  REQUIRE(host.start());  // a start knows them from the log
  CHECK(named() == Index{3});
  host.storage->write({.number = WriteNumber{1}, .truncate = Index{2}});
  REQUIRE(host.work());
  CHECK(named() == Index{1});
}

TEST_CASE("log end: under load it is noted once a second, and synced") {
  Options given = test::options();
  given.segment_bytes = 1 << 20;
  SimDisk disk;
  Host host(disk, given);
  REQUIRE(host.start());
  REQUIRE(host.work());
  std::uint64_t noted = 0;
  for (int i = 0; i < 60; ++i) {
    host.append(1, 1, 10);
    host.now_us += 100;  // never quiet
    if (i % 20 == 19) host.now_us += given.note_every_us;
    const Index before = read_slots(disk)->log_end.end.index;
    REQUIRE(host.step());
    const Index now = read_slots(disk)->log_end.end.index;
    CHECK((now != before) == (i % 20 == 19));
    if (now == before) continue;
    ++noted;
    CHECK(now == host.storage->last_index());
    const auto image = disk.clone();
    lose_power(*image);
    CHECK(read_slots(*image)->log_end.end.index == now);
  }
  CHECK(noted == 3);
}

TEST_CASE("log end: a stop says where the log ends, and that it was one") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 10);
  host.begin();
  host.append(1, 1, 10);
  host.storage->stop();
  CHECK(!host.storage->is_stopped());
  REQUIRE(host.finish());
  REQUIRE(host.work());
  CHECK(host.storage->is_stopped());
  CHECK(host.storage->wake_at_us() == never_us);
  lose_power(disk);
  const auto slots = read_slots(disk);
  CHECK(slots->log_end.is_clean);
  CHECK(slots->log_end.end.index == Index{3});
  REQUIRE(host.start());
  REQUIRE(host.work());
  CHECK(!read_slots(disk)->log_end.is_clean);
}

TEST_CASE("log end: a log that is gone altogether is damage, as its last segment alone would be") {
  for (const bool is_clean : {false, true}) {
    CAPTURE(is_clean);
    SimDisk disk;
    Host host(disk);
    REQUIRE(host.start());
    host.append(1, 3, 10);
    host.save(1, std::nullopt);
    REQUIRE(host.work());
    if (is_clean) {
      REQUIRE(host.stop());
    }
    disk.kill();
    for (const std::string& name : disk.durable_names())
      if (name.ends_with(".seg")) REQUIRE(disk.remove(name));
    host.scan();
    CHECK_FALSE(host.error);
    REQUIRE(host.damage);
    if (is_clean) CHECK(host.damage->floor_index == Index{3});
    CHECK(host.damage->floor_is_open == !is_clean);
  }
}

TEST_CASE("log end: a directory of a later term that names no segment and has none is refused") {
  SimDisk disk;
  HardState state;
  state.self = {"0", 77};
  state.raft_state.current_term = Term{1};
  SlotTurn turn;
  Batch batch;
  make_notes(hard_state_name, batch.steps);
  write_slots(state, LogEndRecord{}, hard_state_name, turn, batch.steps);
  batch.steps.push_back(sync_directory_step());
  REQUIRE(run(disk, batch).status);
  const auto found = scan(disk, {.directory = "d"}, [](const EntryView&) {});
  REQUIRE(!found);
  CHECK(found.error().code == Code::corrupt);
  CHECK(found.error().detail.find("no segment is there") != std::string::npos);
}

TEST_CASE("log end: a note that finds no room is done without") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 1, 10);
  REQUIRE(host.work());
  host.now_us += 1000;
  REQUIRE(host.begin());
  disk.fail_call(0, ENOSPC);
  CHECK(host.finish());
  CHECK(!host.error);
  host.append(1, 1, 10);
  REQUIRE(host.work());
  lose_power(disk);
  host.scan();
  CHECK(host.verify() == "");
}

}  // namespace zatt::storage
