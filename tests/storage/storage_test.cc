// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/storage.h"

#include <doctest/doctest.h>

#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::Crash;
using test::Host;
using test::SimDisk;

}  // namespace

TEST_CASE("storage: an empty directory, then what was written is there again") {
  SimDisk disk;
  Host host(disk);
  REQUIRE(host.inspect());
  CHECK(!host.found_hard_state);
  CHECK(host.found_lines.empty());
  CHECK(disk.bytes_written() == 0);
  REQUIRE(host.start());
  const auto saved = host.save(3, Server{"1", 5});
  const auto appended = host.append(3, 5, 100);
  CHECK(host.durable < saved);
  REQUIRE(host.work());
  CHECK(host.durable >= appended);
  CHECK(host.last() == 5);

  Prng prng(1);
  disk.crash(prng, Crash::all_lost);
  REQUIRE(host.inspect());
  CHECK(host.judge() == "");
  REQUIRE(host.start());
  CHECK(host.notes.empty());
  CHECK(host.found_lines.size() == 5);
}

}  // namespace zatt::storage
