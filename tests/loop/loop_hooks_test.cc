// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/loop_hooks.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/loop/harness.h"

using namespace zatt::loop;

TEST_CASE("LoopHooks: what has arrived is read before a late timer acts") {
  Loop loop;
  Pair pair = connected_pair(loop);
  REQUIRE(pair.near);
  REQUIRE(pair.far);

  std::string order;
  bool due = false;
  LoopHooks* here = nullptr;
  LoopHooks turn(
      loop,
      [&] {
        if (due) order += "time ";
        due = false;
      },
      [] {});
  here = &turn;
  Timer timer(loop, [&] {
    due = true;
    here->run_again();
  });
  pair.far.set_events({.on_bytes = [&](std::string_view) { order += "input "; },
                       .on_end = nullptr,
                       .on_written = nullptr});
  pair.far.read_start();

  timer.start(5);
  pair.near.write("heartbeat");
  const std::uint64_t stall_until = now_us() + 50'000;  // the process was stopped for a while
  while (now_us() < stall_until) {
  }
  REQUIRE(run_until(loop, [&] { return order.size() > 6; }));
  CHECK(order == "input time ");
}

TEST_CASE("LoopHooks: before_wait once a turn; again() keeps the loop from waiting") {
  Loop loop;
  LoopHooks* here = nullptr;
  int turns = 0;
  LoopHooks turn(
      loop, [] {},
      [&] {
        if (++turns < 5) here->run_again();
      });
  here = &turn;
  bool waited = false;
  Timer far_away(loop, [&waited] { waited = true; });
  far_away.start(30'000);
  for (int i = 0; i < 4; ++i) loop.run_once();
  CHECK(turns == 4);
  CHECK(!waited);
}
