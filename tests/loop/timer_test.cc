// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/timer.h"

#include <doctest/doctest.h>

#include <memory>

using zatt::loop::Loop;
using zatt::loop::now_us;
using zatt::loop::Timer;

TEST_CASE("Timer: fires once, and not early even when the loop's time is stale") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&fired] { ++fired; });
  loop.run_ready();
  const std::uint64_t stale_until = now_us() + 20'000;
  while (now_us() < stale_until) {  // busy, as a long callback is: the loop's time stands still
  }
  const std::uint64_t start = now_us();
  timer.start(30);
  loop.run();
  CHECK(fired == 1);
  CHECK(now_us() - start >= 29'000);
}

TEST_CASE("Timer: stopped, replaced, destroyed from its own callback") {
  Loop loop;
  int fired = 0;
  Timer stopped(loop, [&fired] { fired += 100; });
  stopped.start(1);
  CHECK(stopped.is_active());
  stopped.stop();
  CHECK(!stopped.is_active());

  std::unique_ptr<Timer> suicidal;
  suicidal = std::make_unique<Timer>(loop, [&] {
    ++fired;
    suicidal.reset();
  });
  suicidal->start(60'000);
  suicidal->start(0);
  loop.run();
  CHECK(fired == 1);
}
