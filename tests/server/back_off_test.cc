// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/back_off.h"

#include <doctest/doctest.h>

#include <set>

using zatt::server::BackOff;
using zatt::server::Redial;

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

TEST_CASE(
    "Redial: a node that refuses is asked in growing steps, one that is not there each second") {
  Redial redial(7);
  const auto is_within = [](std::uint64_t wait_ms, std::uint64_t limit_ms) {
    return wait_ms >= limit_ms / 2 && wait_ms <= limit_ms;
  };
  const std::uint64_t refused[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000};
  for (const std::uint64_t limit : refused)
    CHECK(is_within(redial.after_link_ms(true, 2'000), limit));
  for (const std::uint64_t limit : {50u, 100u, 200u, 400u, 800u, 1000u, 1000u})
    CHECK(is_within(redial.after_failure_ms(), limit));
  // It was not there: who is there now may be another. And a link that lasts is a good one.
  CHECK(is_within(redial.after_link_ms(true, 2'000), 50));
  CHECK(is_within(redial.after_link_ms(true, 2'000), 100));
  CHECK(is_within(redial.after_link_ms(true, Redial::good_link_us + 1), 50));
  CHECK(is_within(redial.after_link_ms(true, 2'000), 50));
  // What answers there is no node, such as a proxy before one.
  CHECK(redial.after_link_ms(false, 2'000) <= BackOff::last_ms);
}
