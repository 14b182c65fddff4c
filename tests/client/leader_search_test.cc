// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/leader_search.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>

#include "client/backoff.h"

using namespace zatt;
using namespace zatt::client;

namespace {

constexpr std::uint64_t ms = 1'000;
const Address there{"127.0.0.1", 5255};

}  // namespace

TEST_CASE(
    "leader search: three times after the leader, then it is asked through whoever is there") {
  Backoff backoff(1);
  LeaderSearch search(backoff);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3; ++i) {
      search.on_connecting();
      CHECK(search.on_leader(there));
      CHECK(search.redirect_to() == there);
    }
    search.on_connecting();
    CHECK(!search.on_leader(there));
    CHECK(!search.redirect_to());
  }
  CHECK(search.on_leader(there));
  CHECK(!search.on_leader(std::nullopt));  // found: the next search begins anew
  for (int i = 0; i < 3; ++i) CHECK(search.on_leader(there));
}

TEST_CASE("leader search: the others at once, and after a round of them an election's time") {
  Backoff backoff(1);
  LeaderSearch search(backoff);
  CHECK(!search.has_failed());
  CHECK(search.look_again_at_us() == never_us);
  for (int i = 0; i < 2; ++i) {
    search.on_no_leader("", 3, 7 * ms);
    CHECK(search.look_again_at_us() == 7 * ms);
  }
  for (int i = 0; i < 30; ++i) {
    search.on_no_leader("a: 1 of 3 is there", 3, 7 * ms);
    CHECK(search.look_again_at_us() >= 17 * ms);
    CHECK(search.look_again_at_us() < 157 * ms);
  }
  CHECK(search.has_failed());
  CHECK(search.text() == "a: 1 of 3 is there");
  search.on_look();
  CHECK(search.look_again_at_us() == never_us);
  search.on_no_leader("", 3, 7 * ms);
  CHECK(search.text().empty());  // who was asked last has nothing to say
  search.on_leader(std::nullopt);
  CHECK(!search.has_failed());
  CHECK(search.look_again_at_us() == never_us);
}
