// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/prng.h"

#include <doctest/doctest.h>

#include <array>

using namespace zatt;

TEST_CASE("prng: a seed means the same numbers for ever, or no failure could be replayed") {
  Prng prng(42);
  CHECK(prng.next() == 0x15780b2e0c2ec716);
  CHECK(prng.next() == 0x6104d9866d113a7e);
  CHECK(prng.next() == 0xae17533239e499a1);
  CHECK(prng.next() == 0xecb8ad4703b360a1);
}

TEST_CASE("prng: seeds differ, 0 too") {
  Prng a(0);
  Prng b(1);
  const std::uint64_t first = a.next();
  CHECK(first != b.next());
  CHECK(first != a.next());
}

TEST_CASE("prng: ranges hold their ends, and every value turns up") {
  Prng prng(1);
  std::array<int, 5> seen{};
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t n = prng.between(10, 14);
    REQUIRE(n >= 10);
    REQUIRE(n <= 14);
    ++seen[n - 10];
  }
  for (const int times : seen) CHECK(times > 800);
  CHECK(prng.below(1) == 0);
  CHECK(prng.between(7, 7) == 7);
}

TEST_CASE("prng: chance is about what it says") {
  Prng prng(2);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += prng.chance(1, 4) ? 1 : 0;
  CHECK(hits > 2300);
  CHECK(hits < 2700);
  CHECK_FALSE(prng.chance(0, 3));
  CHECK(prng.chance(3, 3));
}
