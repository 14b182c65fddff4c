// SPDX-License-Identifier: AGPL-3.0-or-later
// Each rule of the storage by the smallest case that goes wrong without it.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "base/checksum.h"
#include "storage/format.h"
#include "storage/log_reader.h"
#include "storage/segments.h"
#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::Crash;
using test::Host;
using test::lose_power;
using test::newest_segment;
using test::SimDisk;

std::string segment(std::uint64_t segment) { return file_name(FileKind::segment, segment); }

// Carries out the next batch up to its call `n`; the power is then off.
void work_until_call(SimDisk& disk, Host& host, std::uint64_t n) {
  disk.crash_at(n);
  host.work();
  REQUIRE(disk.is_crashed());
}

// `prepare`, then the power fails at each call of the batch that `last` hands over, in every way.
// `judge` says what is wrong with what was found, if anything.
void crash_everywhere(const std::function<void(Host&)>& prepare,
                      const std::function<void(Host&)>& last,
                      const std::function<std::string(const Host&)>& verify) {
  for (std::uint64_t at = 0;; ++at) {
    SimDisk disk;
    Host host(disk);
    REQUIRE(host.start());
    prepare(host);
    REQUIRE(host.work());
    last(host);
    disk.crash_at(at);
    if (host.work()) return;
    for (const Crash mode : test::every_crash) {
      for (std::uint64_t seed = 0; seed < 12; ++seed) {
        const auto image = disk.clone();
        lose_power(*image, mode, seed);
        Host next(*image);
        next.history = host.history;
        next.scan();
        const std::string verdict = verify(next);
        CAPTURE(at);
        CAPTURE(static_cast<int>(mode));
        if (!verdict.empty()) CHECK(verdict == "");
      }
    }
  }
}

std::string plain_check(const Host& host) { return host.verify(); }

// Fills the present segment, whose records have room for seven units, and begins the next.
void fill_a_segment(Host& host, std::uint64_t term) {
  for (int i = 0; i < 8; ++i) {
    host.append(term, 1, 100);
    REQUIRE(host.work());
  }
}

}  // namespace

TEST_CASE("rule 13: a start believes only what something vouches for") {
  SUBCASE("append, no sync, kill -9, start, power loss") {
    SimDisk disk;
    Host host(disk);
    REQUIRE(host.start());
    host.append(1, 2, 100);
    work_until_call(disk, host, 1);  // written, and not synced
    disk.kill();
    REQUIRE(host.start());
    CHECK(host.found_lines.size() == 2);  // the page cache has them, so the node now speaks of them
    lose_power(disk);
    host.scan();
    CHECK(host.verify() == "");
  }
  SUBCASE("append, the sync fails, start, power loss") {
    SimDisk disk;
    Host host(disk);
    REQUIRE(host.start());
    host.append(1, 2, 100);
    disk.fail_call(1, 5);
    CHECK(!host.work());
    REQUIRE(host.start());
    CHECK(host.found_lines.size() == 2);
    lose_power(disk);
    host.scan();
    CHECK(host.verify() == "");
  }
}

TEST_CASE("rule 13: damage elsewhere changes nothing about it") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 3, 100);
  REQUIRE(host.note());
  host.append(1, 1, 100);
  disk.fail_call(1, 5);
  CHECK(!host.work());  // entry 4 is seen from now on, and is nowhere else
  REQUIRE(host.start());
  CHECK(host.found_lines.size() == 4);
  host.append(1, 1, 100);
  REQUIRE(host.note());
  disk.flip_bit(segment(3), 8 * 20);  // the segment that entry 4 was copied into
  REQUIRE(host.start());
  REQUIRE(host.damage.has_value());
  CHECK(host.found_lines.size() == 4);  // from the first segment, as the page cache has it
  lose_power(disk);
  host.scan();
  CHECK(host.verify() == "");
}

TEST_CASE("rule 6: the predecessor is durable before a header that speaks of it") {
  // One batch that begins in one segment and ends in the next.
  crash_everywhere([](Host& host) { host.append(1, 1, 100); },
                   [](Host& host) { host.append(1, 9, 4000); }, plain_check);
}

TEST_CASE("rules 3 and 15: header and log-end record name the last entry's term") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 3, 100);
  REQUIRE(host.work());
  host.append(2, 1, 100);  // the first of its term, and the last of its segment
  REQUIRE(host.note());
  lose_power(disk, Crash::all_kept);
  SUBCASE("the record does") {}
  SUBCASE("the header of the next segment does") {
    REQUIRE(host.start());
    lose_power(disk);
  }
  disk.flip_bit(segment(1), (2 * unit + record_header_size) * 8);
  REQUIRE(host.scan());
  REQUIRE(host.damage);
  CHECK(host.damage->file == segment(1));
  CHECK(host.damage->last_good == Index{3});
  CHECK(host.damage->floor_term == Term{2});
  CHECK(host.damage->floor_index == Index{4});
}

TEST_CASE(
    "rule 15: what a start copied is missed where it is gone, before anything else names it") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 100);
  REQUIRE(host.note());
  host.append(1, 3, 100);
  REQUIRE(host.work());  // durable, and nothing on the disk says so
  disk.kill();
  int begun = 0;
  for (std::uint64_t at = 0;; ++at) {
    const auto image = disk.clone();
    image->crash_at(at);
    if (Host(*image).start()) break;
    lose_power(*image);
    if (!image->is_name_durable(segment(3))) continue;
    ++begun;
    CAPTURE(at);
    Host whole(*image);
    REQUIRE(whole.scan());
    CHECK(whole.verify(host.history) == "");
    const std::uint64_t size = image->durable_size(segment(3));
    image->overwrite_at_rest(segment(3), unit, std::string(size - unit, '\0'));
    Host next(*image);
    REQUIRE(next.scan());
    REQUIRE(next.damage.has_value());
    CHECK(next.damage->file == segment(3));
    CHECK(next.damage->floor_index == Index{5});
  }
  CHECK(begun > 1);  // before the log-end record was written, and after
}

TEST_CASE("rule 15: a lost segment's number is never given again") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 3, 100);
  REQUIRE(host.note());
  REQUIRE(host.start());
  host.append(1, 2, 100);
  REQUIRE(host.note());  // the record names the second segment
  const std::uint64_t lost = newest_segment(disk);
  REQUIRE(lost > 1);
  for (const std::string& name : disk.names()) {  // and with it all that shows its number
    const auto parsed = parse_file_name(name);
    if (parsed && parsed->number >= lost) REQUIRE(disk.remove(name));
  }
  REQUIRE(disk.sync_directory());
  REQUIRE(newest_segment(disk) < lost);
  REQUIRE(host.start());
  REQUIRE(host.damage.has_value());
  CHECK(newest_segment(disk) > lost);
}

TEST_CASE("rule 15: a log without any segment is damage, not empty") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  REQUIRE(host.work());
  REQUIRE(disk.remove(segment(1)));
  CHECK(host.scan());  // before the first term nothing was promised
  REQUIRE(host.start());
  host.save(1, std::nullopt);
  REQUIRE(host.work());
  lose_power(disk);
  for (const std::string& name : disk.durable_names())
    if (name.ends_with(".seg")) REQUIRE(disk.remove(name));
  CHECK(host.scan());
  REQUIRE(host.damage);
  CHECK(host.damage->floor_is_open);
}

TEST_CASE("rule 15: under a bad header, or in a file cut off, more may have been promised") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  std::uint64_t flipped = 8 * 20;  // in its header
  SUBCASE("a segment whose header is bad") {
    host.append(1, 2, 100);
    REQUIRE(host.note());
    host.append(1, 1, 100);  // not in the log-end record
    REQUIRE(host.work());
  }
  SUBCASE("one beyond damage in the segment before") {
    fill_a_segment(host, 1);
    REQUIRE(host.note());
    host.append(1, 1, 100);
    REQUIRE(host.work());
    flipped = 8 * (unit + 60);
  }
  lose_power(disk);
  disk.flip_bit(segment(1), flipped);
  const std::string newest = segment(newest_segment(disk));
  REQUIRE(host.scan());
  REQUIRE(host.damage);
  const Index seen = host.damage->floor_index;
  // All that was promised after the record is cut off: nothing seen says how much that was.
  disk.cut_at_rest(newest, 2 * unit);
  REQUIRE(host.scan());
  REQUIRE(host.damage);
  CHECK(host.damage->floor_index <= seen);
  CHECK(host.damage->floor_is_open);
}

TEST_CASE("rule 2: a spoiled header over records is damage, not an empty segment") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 100);
  REQUIRE(host.work());
  lose_power(disk);
  disk.flip_bit(segment(1), 8 * 20);
  REQUIRE(host.scan());
  REQUIRE(host.damage);
  CHECK(host.damage->file == segment(1));
  CHECK(host.damage->floor_index == Index{2});
  CHECK(host.damage->floor_term == Term{1});
}

TEST_CASE("rule 7: the lives that a cut ends are given up only behind its header") {
  // Until the cut is in force nothing is gone; then exactly what was cut.
  crash_everywhere(
      [](Host& host) {
        fill_a_segment(host, 1);
        fill_a_segment(host, 1);
      },
      [](Host& host) { host.truncate(2); },
      [](const Host& host) -> std::string {
        if (const std::string verdict = host.verify(); !verdict.empty()) return verdict;
        const std::size_t found = host.found_lines.size();
        return found == 16 || found == 2 ? "" : "found " + std::to_string(found);
      });
}

TEST_CASE("rule 8: dead lives are not read") {
  // Of the segments that a cut ended, one is used again before the next is given up: what that one
  // followed is gone.
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  fill_a_segment(host, 1);
  fill_a_segment(host, 1);
  std::vector<std::string> segments;
  for (const std::string& name : disk.durable_names())
    if (name.ends_with(".seg")) segments.push_back(name);
  REQUIRE(segments.size() == 3);
  host.truncate(2);
  REQUIRE(host.step());  // reads what entry 2 says, for the header
  host.begin();
  const auto before = disk.clone();  // with every segment in place
  REQUIRE(host.finish());
  std::string newest;
  for (const std::string& name : disk.durable_names())
    if (name.ends_with(".seg")) newest = name;
  const std::string header = disk.durable_read(newest, 0, unit);
  REQUIRE(decode_header(header).header);
  REQUIRE(before->write(newest, disk.durable_size(newest) - unit, std::string(unit, '\0')));
  REQUIRE(before->write(newest, 0, header));
  REQUIRE(before->remove(segments[1]));
  Host next(*before);
  REQUIRE(next.scan());
  CHECK(!next.damage);
  CHECK(next.found_lines == host.lines());

  crash_everywhere(
      [](Host& other) {
        fill_a_segment(other, 1);
        fill_a_segment(other, 1);
      },
      [](Host& other) { other.truncate(0); }, plain_check);
}

TEST_CASE("rule 11: a log that does not go through the snapshot's end is dropped") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 100);
  REQUIRE(host.work());
  lose_power(disk);
  const auto entries_behind = [&](std::uint64_t term, std::uint64_t index) {
    LogQuestion question;
    question.directory = "d";
    question.incarnation = 77;
    question.base = {Term{term}, Index{index}};
    ScanResult found;
    std::vector<std::uint64_t> entries;
    const auto names = disk.list();
    REQUIRE(names);
    REQUIRE(read_log(
        disk, question, *names,
        [&](const EntryView& entry) { entries.push_back(raw(entry.index)); }, found));
    CHECK(!found.damage);
    CHECK(raw(found.last_index) == (entries.empty() ? index : entries.back()));
    return entries;
  };
  using Indexes = std::vector<std::uint64_t>;
  CHECK(entries_behind(0, 0) == Indexes{1, 2});
  CHECK(entries_behind(1, 1) == Indexes{2});
  CHECK(entries_behind(2, 1) == Indexes{});  // entry 2 of term 1 must not return behind it
  CHECK(entries_behind(1, 2) == Indexes{});
  CHECK(entries_behind(3, 9) == Indexes{});

  // A segment that begins behind the snapshot's first entry needs nothing before it.
  fill_a_segment(host, 1);
  lose_power(disk);
  REQUIRE(disk.remove(segment(1)));
  CHECK(entries_behind(1, 8).size() == 2);
  REQUIRE(host.scan());
  CHECK(host.damage);
}

TEST_CASE("rule 1: no batch shares a page with what was promised before") {
  crash_everywhere([](Host& host) { host.append(1, 1, 50); },
                   [](Host& host) { host.append(1, 1, 50); }, plain_check);
}

TEST_CASE("rule 7: durable_index falls with a cut") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 3, 100);
  REQUIRE(host.work());
  host.truncate(1);
  SUBCASE("in a batch of its own") { REQUIRE(host.work()); }
  SUBCASE("in the batch that appends") {}
  host.append(2, 1, 100);
  REQUIRE(host.work());
  lose_power(disk);
  REQUIRE(host.scan());
  CHECK(host.verify() == "");
  CHECK(host.found_lines == host.lines());
}

TEST_CASE("rule 14: both slots are durable before the hard state is acted on") {
  SUBCASE("one slot written, kill -9, start reads it and acts, power loss") {
    SimDisk disk;
    Host host(disk);
    REQUIRE(host.start());
    host.save(4, MemberId{"1", 2});
    work_until_call(disk, host, 1);  // one slot is written, and not synced
    disk.kill();
    REQUIRE(host.start());
    REQUIRE(
        host.storage->hard_state().raft_state.voted_for);  // and the vote is repeated to somebody
    lose_power(disk);
    host.scan();
    CHECK(host.verify() == "");
  }
  SUBCASE("either slot may rot") {
    for (std::uint64_t slot = 0; slot < 2; ++slot) {
      SimDisk disk;
      Host host(disk);
      REQUIRE(host.start());
      host.save(4, MemberId{"1", 2});
      REQUIRE(host.work());
      lose_power(disk);
      disk.flip_bit(hard_state_name, (slot * slot_bytes + 40) * 8);
      REQUIRE(host.scan());
      CHECK(host.verify() == "");
      REQUIRE(host.notes.size() == 1);
    }
  }
  SUBCASE("torn at any write") {
    crash_everywhere(
        [](Host& host) {
          host.save(4, MemberId{"1", 2});
        },
        [](Host& host) {
          host.save(5, MemberId{"2", 3});
        },
        plain_check);
  }
}

}  // namespace zatt::storage
