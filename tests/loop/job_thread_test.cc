// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/job_thread.h"

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "tests/loop/harness.h"

using namespace zatt::loop;

TEST_CASE("JobThread: jobs run elsewhere, in order, and are reported here") {
  Loop loop;
  JobThread thread(loop);
  std::vector<int> ran;
  std::vector<int> reported;
  bool elsewhere = true;
  bool here = true;
  const auto home = std::this_thread::get_id();
  for (int i = 0; i < 100; ++i) {
    thread.submit(
        [&, i] {
          elsewhere = elsewhere && std::this_thread::get_id() != home;
          ran.push_back(i);
        },
        [&, i] {
          here = here && std::this_thread::get_id() == home;
          reported.push_back(i);
        });
  }
  REQUIRE(run_until(loop, [&] { return reported.size() == 100; }));
  CHECK(elsewhere);
  CHECK(here);
  CHECK(ran == reported);
  CHECK(std::is_sorted(ran.begin(), ran.end()));
}

TEST_CASE("JobThread: its end waits for what was handed over") {
  Loop loop;
  int ran = 0;
  int reported = 0;
  {
    JobThread thread(loop);
    for (int i = 0; i < 10; ++i) thread.submit([&] { ++ran; }, [&] { ++reported; });
  }
  CHECK(ran == 10);
  CHECK(reported == 0);
}

TEST_CASE("JobThread: waiting until it is idle, and not for ever") {
  Loop loop;
  std::promise<void> answer;
  JobThread thread(loop);
  CHECK(thread.wait_idle(0));
  thread.submit([&] { answer.get_future().wait(); }, [] {});
  CHECK_FALSE(thread.wait_idle(1));
  answer.set_value();
  CHECK(thread.wait_idle(60'000));
}
