// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/text.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace zatt::cli;

TEST_CASE("shown_key: itself, unless that would mislead") {
  CHECK(shown_key("room:1 é") == "room:1 é");
  CHECK(shown_key("") == R"("")");
  CHECK(shown_key("\"a\"") == R"("\"a\"")");
  CHECK(shown_key("a\nb") == R"("a\nb")");
  CHECK(shown_key("a\tb") == R"("a\tb")");
  CHECK(shown_key("\x1b[2J") == R"("\u001b[2J")");
  CHECK(shown_key("del\x7f") == R"("del\u007f")");
  CHECK(shown_key("c1\xc2\x9b") == R"("c1\u009b")");
  CHECK(shown_key("no c1 \xc2\xa0") == "no c1 \xc2\xa0");
}

TEST_CASE("columns") {
  CHECK(padded("é", 3) == "é  ");
  CHECK(padded("long", 3) == "long");
}

TEST_CASE("to_timeout_ms: seconds and fractions") {
  struct Row {
    const char* text;
    int want;  // 0: none
  };
  const Row rows[] = {{"5", 5000},  {"0.5", 500},      {".25", 250},     {"2.", 2000},
                      {"0.001", 1}, {"600", 600000},   {"1.2345", 1234}, {"600.001", 0},
                      {"0", 0},     {"0.0004", 0},     {"", 0},          {".", 0},
                      {"-1", 0},    {"1e3", 0},        {"5s", 0},        {" 5", 0},
                      {"1.5x", 0},  {"99999999999", 0}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(to_timeout_ms(row.text).value_or(0) == row.want);
  }
}

TEST_CASE("to_integer: with a sign") {
  CHECK(to_integer("-9223372036854775808") == INT64_MIN);
  CHECK(to_integer("+5") == 5);
  CHECK(!to_integer("+-5"));
  CHECK(!to_integer("9223372036854775808"));
  CHECK(!to_integer("1.0"));
  CHECK(!to_integer(""));
}
