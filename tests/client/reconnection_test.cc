// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/reconnection.h"

#include <doctest/doctest.h>

#include <cstdint>

#include "client/backoff.h"

using namespace zatt;
using namespace zatt::client;

namespace {

constexpr std::uint64_t ms = 1'000;

// From the failure until the next try.
std::uint64_t pause_us(Reconnection& reconnection, bool answered = false) {
  constexpr std::uint64_t now = 1'000'000;
  reconnection.on_failure(answered, 3, now);
  return reconnection.retry_at_us() - now;
}

}  // namespace

TEST_CASE("backoff: twice as long each time, up to its limit, and half of that more or less") {
  Backoff backoff(1);
  for (std::uint32_t times = 0; times < 80; ++times) {
    const std::uint64_t middle = times < 5 ? (20 * ms) << times : 400 * ms;
    const std::uint64_t pause = backoff.pause_us(times);
    CHECK(pause >= middle / 2);
    CHECK(pause < middle / 2 + middle);
    CHECK(backoff.pause_us(times, 30 * ms) < 45 * ms);
  }
}

TEST_CASE("reconnection: a round of servers without a pause, and longer ones after each") {
  Backoff backoff(1);
  Reconnection reconnection(0, backoff);
  CHECK(pause_us(reconnection) == 0);
  CHECK(pause_us(reconnection) == 0);
  CHECK(pause_us(reconnection) >= 10 * ms);  // all three have failed
  for (int i = 0; i < 20; ++i) pause_us(reconnection);
  CHECK(reconnection.failures() == 23);
  CHECK(pause_us(reconnection) >= 200 * ms);
  CHECK(!reconnection.may_connect(1'000'000));
  CHECK(reconnection.may_connect(1'600'000));
  reconnection.on_answer();
  CHECK(pause_us(reconnection) == 0);
  CHECK(pause_us(reconnection, true) >= 10 * ms);  // it answers and ends, again and again
}

TEST_CASE("reconnection: the time without an answer begins with the first request or failure") {
  Backoff backoff(1);
  Reconnection patient(0, backoff);
  patient.on_first_request(5 * ms);
  CHECK(patient.give_up_at_us() == never_us);
  Reconnection reconnection(100 * ms, backoff);
  CHECK(reconnection.give_up_at_us() == never_us);
  reconnection.on_failure(false, 3, 7 * ms);
  reconnection.on_failure(false, 3, 9 * ms);  // no later for it
  CHECK(reconnection.give_up_at_us() == 107 * ms);
  reconnection.on_given_up();
  CHECK(reconnection.give_up_at_us() == never_us);
  reconnection.on_first_request(20 * ms);
  CHECK(reconnection.give_up_at_us() == 120 * ms);
  reconnection.on_answer();
  CHECK(reconnection.give_up_at_us() == never_us);
}
