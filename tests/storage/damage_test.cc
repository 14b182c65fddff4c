// SPDX-License-Identifier: AGPL-3.0-or-later
// Files that are damaged while nobody looks: all of it is found that a rule can find.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/storage/damage_run.h"
#include "tests/storage/part.h"

namespace zatt::storage {
namespace {

using test::part;

}  // namespace

TEST_CASE("damage: each file in each way, after a clean stop, kill -9 and a power loss") {
  const bool all = std::getenv("ZATT_SOAK") != nullptr && part == 1;
  test::DamageRunOptions options;
  options.of = all ? 8 : 80 * part;
  options.share = all ? 0 : 5;
  if (const char* only = std::getenv("ZATT_DAMAGE")) options = {0, 1, 1, only, nullptr};
  options.say = [](const std::string& line) {
    MESSAGE(line);
    MESSAGE("replay it with: ZATT_DAMAGE=\"", line.substr(0, line.find(':')),
            "\" build/unit-tests -tc='damage:*'");
  };
  const test::DamageRunResult result = test::damage_run(options);
  MESSAGE("states: ", result.states, ", damages: ", result.damages, ", found: ", result.found,
          ", with an open floor: ", result.open, ", not covered and missed: ", result.missed,
          ", images of interrupted repairs: ", result.repairs);
  CHECK(result.failed == 0);
  if (!options.only.empty()) return;
  CHECK(result.damages > 10'000 / part);
  CHECK(result.repairs > 10'000 / part);
}

}  // namespace zatt::storage
