// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/log.h"

#include <doctest/doctest.h>

using namespace zatt;

TEST_CASE("log_line: one line an event, whatever is in it") {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 10;
  time.tm_mday = 24;
  time.tm_hour = 3;
  time.tm_min = 14;
  time.tm_sec = 7;
  CHECK(log_line(time, "0", node::LogLevel::info, "text") == "2026-11-24 03:14:07 [0] text\n");
  CHECK(log_line(time, "a", node::LogLevel::error, "a\nb\x1b[31m") ==
        "2026-11-24 03:14:07 [a] error: a?b?[31m\n");
  CHECK(log_line(time, "a", node::LogLevel::debug, "\xc3\xa9") ==
        "2026-11-24 03:14:07 [a] debug: \xc3\xa9\n");
}
