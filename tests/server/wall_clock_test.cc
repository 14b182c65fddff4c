// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/wall_clock.h"

#include <doctest/doctest.h>

#include <ctime>

namespace zatt::server {

TEST_CASE("wall clock: it is the machine's time of day, in microseconds") {
  const auto before = static_cast<std::uint64_t>(std::time(nullptr));
  const std::uint64_t us = wall_us();
  CHECK(us / 1'000'000 + 1 >= before);
  CHECK(us / 1'000'000 <= static_cast<std::uint64_t>(std::time(nullptr)) + 1);
}

}  // namespace zatt::server
