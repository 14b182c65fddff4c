// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/capi/footprint.h"

#include <doctest/doctest.h>

#include <future>
#include <thread>

using namespace zatt::capi::test;

TEST_CASE("threads(): those that live, and none that was joined") {
  const std::size_t before = threads();
  for (int i = 0; i < 1'000; ++i) {
    std::promise<void> end;
    std::thread thread([&end] { end.get_future().wait(); });
    CHECK(threads() == before + 1);
    end.set_value();
    thread.join();
    CHECK(threads() == before);
  }
}
