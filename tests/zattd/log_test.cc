// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/log.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

using namespace zatt;

TEST_CASE("log_line: one line an event, whatever is in it") {
  CHECK(log_line("T", "0", node::LogLevel::info, "text") == "T [0] text\n");
  CHECK(log_line("T", "a", node::LogLevel::error, "a\nb\x1b[31m") == "T [a] error: a?b?[31m\n");
  CHECK(log_line("T", "a", node::LogLevel::debug, "\xc3\xa9") == "T [a] debug: \xc3\xa9\n");
  CHECK(log_line("", "0", node::LogLevel::info, "text") == "[0] text\n");
}

TEST_CASE("time_text: ISO 8601, with milliseconds and the offset") {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 10;
  time.tm_mday = 24;
  time.tm_hour = 3;
  time.tm_min = 14;
  time.tm_sec = 7;
  time.tm_gmtoff = 3600;
  CHECK(time_text(time, 42) == "2026-11-24T03:14:07.042+01:00");
  time.tm_gmtoff = -(3 * 3600 + 30 * 60);
  CHECK(time_text(time, 999) == "2026-11-24T03:14:07.999-03:30");
  time.tm_gmtoff = 0;
  CHECK(time_text(time, 0) == "2026-11-24T03:14:07.000+00:00");
}

TEST_CASE("goes_to_journal: only where JOURNAL_STREAM names this very stream") {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  struct stat about {};
  REQUIRE(fstat(ends[1], &about) == 0);
  const std::string device = std::to_string(about.st_dev);
  CHECK(goes_to_journal(ends[1], (device + ":" + std::to_string(about.st_ino)).c_str()));
  CHECK_FALSE(goes_to_journal(ends[1], (device + ":" + std::to_string(about.st_ino + 1)).c_str()));
  CHECK_FALSE(goes_to_journal(ends[1], ""));
  CHECK_FALSE(goes_to_journal(ends[1], nullptr));
  for (const int end : ends) close(end);
  CHECK_FALSE(goes_to_journal(ends[1], device.c_str()));
}
