// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/storage.h"

#include <doctest/doctest.h>

#include "tests/storage/harness.h"

namespace zatt::storage {
namespace {

using test::Host;
using test::Prng;
using test::SimDisk;

}  // namespace

TEST_CASE("storage: an empty directory, then what was written is there again") {
  SimDisk disk;
  {
    auto found = inspect(disk, test::options(), [](const EntryView&) { CHECK(false); });
    REQUIRE(found);
    CHECK(!found->hard_state);
    CHECK(found->last_index == Index{0});
  }
  Host host(disk);
  REQUIRE(host.start());
  HardState state = host.storage->hard_state();
  state.current_term = Term{3};
  state.voted_for = Server{"1", 5};
  const auto saved = host.storage->save(state);
  const auto appended = host.append(3, 5, 100);
  CHECK(host.durable < saved);
  host.work();
  CHECK(host.durable >= appended);
  CHECK(host.storage->last_index() == Index{5});

  Prng prng(1);
  disk.crash(prng, test::Crash::all_lost);
  REQUIRE(host.start());
  CHECK(host.storage->hard_state() == state);
  CHECK(host.found_entries == host.model);
  CHECK(host.notes.empty());
  CHECK(!host.damage);
}

}  // namespace zatt::storage
