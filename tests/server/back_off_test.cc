// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/back_off.h"

#include <doctest/doctest.h>

#include <set>

using zatt::server::BackOff;

TEST_CASE("BackOff: doubles to a second, with a random part, and starts anew") {
  BackOff back_off(7);
  const std::uint64_t most[] = {50, 100, 200, 400, 800, 1000, 1000, 1000};
  for (int round = 0; round < 2; ++round) {
    for (const std::uint64_t limit : most) {
      const std::uint64_t wait = back_off.next_ms();
      CHECK(wait >= limit / 2);
      CHECK(wait <= limit);
    }
    back_off.reset();
  }
  std::set<std::uint64_t> waits;
  for (std::uint64_t seed = 0; seed < 50; ++seed) waits.insert(BackOff(seed).next_ms());
  CHECK(waits.size() > 10);
}
