// SPDX-License-Identifier: AGPL-3.0-or-later
// Rot in every sector, and files that hold anything at all.
#include <doctest/doctest.h>

#include <cerrno>

#include "base/bytes.h"
#include "storage/format.h"
#include "storage/slots.h"
#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::Crash;
using test::Host;
using test::is_prefix;
using test::Lines;
using test::SimDisk;

// Two segments, a cut, several batches, saves, and a note at the end.
bool run_workload(Host& host, Lines* before_the_cut = nullptr) {
  if (!host.start()) return false;
  for (int i = 0; i < 8; ++i) {
    if (i == 5 && before_the_cut != nullptr) *before_the_cut = host.lines();
    if (i == 5) host.truncate(host.last() - 2);
    if (i == 3) host.save(2, MemberId{"1", 2});
    host.append(i < 5 ? 1 : 2, 2, i % 3 == 0 ? 2500 : 90);
    if (!host.work()) return false;
  }
  return host.note();
}

// A directory whose log end is noted, durably.
std::unique_ptr<SimDisk> noted(Lines& lines, Lines* before_the_cut = nullptr) {
  auto disk = std::make_unique<SimDisk>();
  Host host(*disk);
  REQUIRE(run_workload(host, before_the_cut));
  lines = host.lines();
  Prng prng(1);
  disk->crash(prng, Crash::all_kept);
  return disk;
}

// However a file was spoiled: what is served is the beginning of what was written, and where it
// is less, that was noticed.
std::string verify(Host& host, const Lines& lines) {
  if (!host.scan()) {
    return host.error->code == Code::io ? "io: " + to_string(*host.error) : "";
  }
  if (!host.found_hard_state) return "taken for an empty directory";
  if (!is_prefix(host.found_lines, lines)) return "wrong content";
  if (host.found_lines.size() < lines.size() && !host.damage) return "silently shorter";
  if (host.damage && (host.damage->floor_term != Term{lines.back().term} ||
                      host.damage->floor_index != Index{lines.back().index}))
    return "a floor of " + std::to_string(raw(host.damage->floor_index));
  return "";
}

void lose_all(SimDisk& disk) {
  Prng prng(1);
  disk.crash(prng, Crash::all_lost);
}

// As time goes on, until nothing is left to be tried again.
void work_on(Host& host) {
  for (int tries = 0; tries < 20 && host.work() && host.storage->wake_at_us() != never_us; ++tries)
    host.now_us = std::max(host.now_us, host.storage->wake_at_us());
}

// The nth call of the disk from here on has no room. False where there are not so many.
bool runs_without_room(std::uint64_t n, int error, SimDisk::FailedWrite written) {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  disk.set_failed_write(written);
  disk.fail_call(n, error);
  for (int i = 0; i < 8; ++i) {
    if (i == 5) host.truncate(host.last() - 2);
    if (i % 3 == 1) host.save(2 + static_cast<std::uint64_t>(i), MemberId{"1", 2});
    host.append(i < 5 ? 1 : 2, 2, i % 3 == 0 ? 5000 : 90);
    host.storage->read(Index{1}, 1 << 20);
    work_on(host);
    if (host.error) break;
    const bool is_late = host.durable < host.history.back().write;
    if (is_late) CHECK(host.storage->room() == DiskSpace::enough);  // what waits has gone through
    CHECK(!is_late);
  }
  if (host.error) CHECK(std::string(host.error->what).starts_with("syncing"));
  const bool was_met = disk.failure().has_value();
  lose_all(disk);
  const std::vector<test::State> told = host.history;
  REQUIRE(host.scan());
  CHECK(host.verify(told) == "");
  return was_met;
}

}  // namespace

TEST_CASE("faults: what finds no room is done once there is some, whatever it is") {
  using Written = SimDisk::FailedWrite;
  for (const int error : {ENOSPC, EFBIG, EMFILE, ENFILE})
    for (const Written written : {Written::half, Written::nothing, Written::short_write}) {
      std::uint64_t n = 0;
      while (runs_without_room(n, error, written)) ++n;
      CHECK(n > 80);
    }
}

TEST_CASE("faults: a sector of noise, anywhere, is never content, and is noticed") {
  Lines lines;
  const auto disk = noted(lines);
  std::uint64_t damaged = 0;
  for (const std::string& name : disk->durable_names()) {
    for (std::uint64_t at = 0; at < disk->durable_size(name); at += SimDisk::sector_size) {
      for (const int kind : {0, 1, 2}) {  // noise, zeros, one bit
        if (kind == 2) {
          const auto image = disk->clone();
          image->flip_bit(name, (at + (at / 512 * 37) % 512) * 8 + 3);
          Host host(*image);
          CAPTURE(name);
          CAPTURE(at);
          CHECK(verify(host, lines) == "");
          damaged += host.damage.has_value();
          continue;
        }
        const auto image = disk->clone();
        image->overwrite_at_rest(name, at, std::string(512, kind == 0 ? '\x5a' : '\0'));
        Host host(*image);
        const std::string verdict = verify(host, lines);
        CAPTURE(name);
        CAPTURE(at);
        CAPTURE(kind);
        if (!verdict.empty()) CHECK(verdict == "");
        if (!host.damage) continue;
        ++damaged;
        REQUIRE(host.start());  // and a damaged node goes on from what is whole
        CHECK(host.last() == host.found_lines.size());
        CHECK(host.storage->hard_state().raft_state.floor.index >= host.damage->last_good);
      }
    }
  }
  CHECK(damaged > 30);
}

TEST_CASE("faults: a segment that is gone is noticed, all but the last") {
  Lines lines;
  const auto disk = noted(lines);
  std::vector<std::string> segments;
  for (const std::string& name : disk->durable_names())
    if (name.ends_with(".seg")) segments.push_back(name);
  REQUIRE(segments.size() > 1);
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    const auto image = disk->clone();
    REQUIRE(image->remove(segments[i]));
    Host host(*image);
    REQUIRE(host.scan());
    CHECK(host.damage);
    CHECK(is_prefix(host.found_lines, lines));
  }
}

TEST_CASE("faults: a unit that stands there twice is read once") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.start());
  host.append(1, 2, 10);
  REQUIRE(host.note());
  host.append(1, 2, 10);
  REQUIRE(host.work());
  const std::string segment = file_name(FileKind::segment, 1);
  disk.overwrite_at_rest(segment, 3 * unit, disk.durable_read(segment, 2 * unit, unit));
  disk.overwrite_at_rest(segment, 2 * unit, disk.durable_read(segment, unit, unit));
  REQUIRE(host.start());
  CHECK(!host.damage);
  CHECK(host.found_lines.size() == 4);
  CHECK(host.read_all(1000) == host.found_lines);
}

TEST_CASE("faults: files of anything at all") {
  Lines lines, before_the_cut;
  const auto disk = noted(lines, &before_the_cut);
  std::vector<std::string> names;
  for (const std::string& name : disk->durable_names())
    if (!name.ends_with(".spare")) names.push_back(name);
  Prng prng(5);
  for (int round = 0; round < 3000; ++round) {
    const auto image = disk->clone();
    for (std::uint64_t n = prng.between(1, 6); n > 0; --n) {
      const std::string& name = names[prng.below(names.size())];
      const std::uint64_t size = image->durable_size(name);
      const std::uint64_t unit_at = prng.below(size / unit) * unit;
      switch (prng.below(5)) {
        case 0:
          image->flip_bit(name, prng.below(size * 8));
          break;
        case 1:
          image->flip_bit(name, unit_at * 8 + prng.below(8 * record_header_size));
          break;
        case 2: {  // a length out of this world
          std::string length(4, '\xff');
          store_le(length.data(), static_cast<std::uint32_t>(prng.next()));
          image->overwrite_at_rest(name, unit_at + 8, length);
          break;
        }
        case 3: {  // a page from elsewhere
          const std::string& other = names[prng.below(names.size())];
          const std::uint64_t from = prng.below(image->durable_size(other) / unit) * unit;
          image->overwrite_at_rest(name, unit_at, image->durable_read(other, from, unit));
          break;
        }
        default: {
          const std::uint64_t length =
              prng.between(1, std::min<std::uint64_t>(size - unit_at, 999));
          std::string noise(length, '\0');
          for (char& byte : noise) byte = static_cast<char>(prng.next() & 0xff);
          image->overwrite_at_rest(name, unit_at, noise);
        }
      }
    }
    Host host(*image);
    if (!host.scan()) {
      CHECK(host.error->code == Code::corrupt);
      continue;
    }
    // Where the header that cut the log is gone with its first records, what it cut may return, and
    // counts for nothing below the floor.
    const bool is_known = is_prefix(host.found_lines, lines) ||
                          (host.damage && is_prefix(host.found_lines, before_the_cut));
    if (host.found_hard_state && !is_known) CHECK(round < 0);
    if (!host.start()) CHECK(to_string(*host.error) == "");
  }
}

}  // namespace zatt::storage
