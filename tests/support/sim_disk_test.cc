// SPDX-License-Identifier: AGPL-3.0-or-later
// The simulated disk forgets what a real one may forget, and nothing else.
#include "tests/support/sim_disk.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace zatt::test {
namespace {

// A durable file of two units of 'a'.
void begin(SimDisk& disk) {
  REQUIRE(disk.write("f", 0, std::string(8192, 'a')));
  REQUIRE(disk.sync("f"));
  REQUIRE(disk.sync_directory());
}

std::string after(const SimDisk& disk, Crash mode, std::uint64_t choice) {
  Prng prng(1);
  const auto image = disk.clone();
  image->crash(prng, mode, choice);
  std::string bytes = *image->read("f", 0, 1 << 20);
  std::string sectors;  // a letter each
  for (std::size_t at = 0; at < bytes.size(); at += SimDisk::sector_size)
    sectors += bytes[at] == '\0' ? '0' : bytes[at];
  return sectors;
}

}  // namespace

TEST_CASE("sim_disk: each choice of each crash") {
  SimDisk disk;
  begin(disk);
  REQUIRE(disk.write("f", 4096, std::string(1024, 'b')));
  REQUIRE(disk.write("f", 8192, std::string(512, 'c')));
  REQUIRE(disk.rename("f", "g"));
  REQUIRE(disk.rename("g", "f"));
  const std::string old = "aaaaaaaaaaaaaaaa";
  CHECK(after(disk, Crash::all_lost, 0) == old);
  CHECK(after(disk, Crash::all_kept, 0) == "aaaaaaaabbaaaaaac");
  CHECK(disk.choices(Crash::one_kept) == 2 + 3 + 1);  // names, sectors, the unit that has two
  CHECK(after(disk, Crash::one_kept, 2) == "aaaaaaaabaaaaaaa");
  CHECK(after(disk, Crash::one_kept, 4) == "aaaaaaaaaaaaaaaac");
  CHECK(after(disk, Crash::one_kept, 5) == "aaaaaaaabbaaaaaa");
  CHECK(after(disk, Crash::one_lost, 3) == "aaaaaaaabaaaaaaac");
  CHECK(after(disk, Crash::one_lost, 4) == "aaaaaaaabbaaaaaa0");  // as long, and never written
  CHECK(after(disk, Crash::one_lost, 5) == "aaaaaaaaaaaaaaaac");
  CHECK(disk.choices(Crash::torn_last) == 1);
  CHECK(after(disk, Crash::torn_last, 0) == "aaaaaaaabbaaaaaa0");
  CHECK(after(disk, Crash::data_lost, 0) == old);
  CHECK(after(disk, Crash::data_lost, 1) == old + "0");
  CHECK(disk.choices(Crash::in_order) == 3);
  CHECK(after(disk, Crash::in_order, 0) == "aaaaaaaabbaaaaaa");
  CHECK(after(disk, Crash::in_order, 1) == "aaaaaaaabbaaaaaac");
  CHECK(after(disk, Crash::reversed, 0) == "aaaaaaaaaaaaaaaac");
}

TEST_CASE("sim_disk: what was synced is in nobody's choice") {
  SimDisk disk;
  begin(disk);
  CHECK(disk.choices(Crash::one_kept) == 0);
  CHECK(disk.choices(Crash::torn_last) == 0);
  REQUIRE(disk.write("f", 0, "b"));
  CHECK(disk.choices(Crash::one_lost) == 1);
  REQUIRE(disk.sync("f"));
  for (const Crash mode : every_crash) CHECK(after(disk, mode, 0) == "baaaaaaaaaaaaaaa");
}

TEST_CASE(
    "sim_disk: after a failed sync reading may fail, until it is written or the power was off") {
  SimDisk disk;
  begin(disk);
  disk.set_failed_sync(SimDisk::FailedSync::reads_fail);
  REQUIRE(disk.write("f", 4096, std::string(1024, 'b')));
  disk.fail_call(0, EIO);
  CHECK(!disk.sync("f"));
  CHECK(disk.failed_syncs() == 1);
  CHECK(disk.read("f", 0, 4096));
  CHECK(!disk.read("f", 0, 8192));
  CHECK(!disk.read("f", 5119, 1));
  CHECK(disk.read("f", 5120, 100));
  CHECK(after(disk, Crash::all_kept, 0) == "aaaaaaaaaaaaaaaa");
  REQUIRE(disk.write("f", 4096, std::string(1024, 'c')));
  CHECK(disk.read("f", 0, 8192));
  CHECK(after(disk, Crash::all_lost, 0) == "aaaaaaaaaaaaaaaa");
  CHECK(after(disk, Crash::all_kept, 0) == "aaaaaaaaccaaaaaa");
}

TEST_CASE("sim_disk: how much a failed write has written") {
  SimDisk disk;
  begin(disk);
  disk.fail_call(0, ENOSPC, true);
  const auto size = [&] { return disk.clone()->size("f"); };
  CHECK(!disk.write("f", 6144, std::string(2048, 'b')));
  CHECK(after(disk, Crash::all_kept, 0) == "aaaaaaaaaaaabbaa");
  CHECK(!disk.write("f", 8192, std::string(2048, 'b')));
  CHECK(*size() == 8192);
  disk.set_failed_write(SimDisk::FailedWrite::nothing);
  CHECK(!disk.write("f", 0, std::string(2048, 'c')));
  CHECK(after(disk, Crash::all_kept, 0) == "aaaaaaaaaaaabbaa");
  disk.set_failed_write(SimDisk::FailedWrite::short_write);
  CHECK(!disk.write("f", 8192, std::string(3000, 'd')));
  CHECK(*size() == 10192);
  CHECK(!disk.write("g", 0, std::string(3000, 'd')));
  CHECK(*disk.clone()->size("g") == 2000);
}

TEST_CASE("sim_disk: only what changes something counts as a change") {
  SimDisk disk;
  begin(disk);
  CHECK(disk.calls() == 3);
  disk.crash_at_change(1);
  CHECK(disk.read("f", 0, 1));
  CHECK(disk.list());
  REQUIRE(disk.write("f", 0, "b"));
  CHECK(disk.size("f"));
  CHECK(disk.changing_calls() == 4);
  CHECK(!disk.sync("f"));
  CHECK(disk.is_crashed());
}

}  // namespace zatt::test
