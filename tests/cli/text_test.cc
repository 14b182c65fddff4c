// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace zatt::cli;

TEST_CASE("is_utf8: what a server would take") {
  struct Row {
    const char* why;
    std::string text;
    bool want;
  };
  const Row rows[] = {
      {"nothing", "", true},
      {"ASCII and NUL", std::string("a\0b", 3), true},
      {"two, three and four bytes", "é€😀", true},
      {"a continuation alone", "\x80", false},
      {"cut off", "\xe2\x82", false},
      {"longer than it must be", "\xc0\xaf", false},
      {"three bytes longer than it must be", "\xe0\x80\xaf", false},
      {"four bytes longer than it must be", "\xf0\x80\x80\xaf", false},
      {"a surrogate", "\xed\xa0\x80", false},
      {"the last code point", "\xf4\x8f\xbf\xbf", true},
      {"behind the last code point", "\xf4\x90\x80\x80", false},
      {"five bytes", "\xf8\x88\x80\x80\x80", false},
      {"two bytes and no continuation", "\xc3(", false},
      {"Latin-1", "caf\xe9", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(is_utf8(row.text) == row.want);
  }
}

TEST_CASE("quoted: as few escapes as JSON allows, those of all our clients") {
  CHECK(quoted("") == R"("")");
  CHECK(quoted("a\"b\\c") == R"("a\"b\\c")");
  CHECK(quoted("\b\f\n\r\t\x01\x1f") == R"("\b\f\n\r\t\u0001\u001f")");
  CHECK(quoted("é/\x7f") == "\"é/\x7f\"");
  CHECK(quoted(std::string(1, '\0')) == R"("\u0000")");
}

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

TEST_CASE("one_line: nobody's sentence moves the cursor") {
  CHECK(one_line("a\nb\x1b[2Jc\x7f\xc2\x9b!é") ==
        "a?b?[2Jc?"
        "?!é");
}

TEST_CASE("columns") {
  CHECK(width_of("aé€😀") == 4);
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

TEST_CASE("numbers") {
  CHECK(to_number("18446744073709551615") == 18446744073709551615ULL);
  CHECK(!to_number("18446744073709551616"));
  CHECK(!to_number("-1"));
  CHECK(!to_number("1 "));
  CHECK(!to_number(""));
  CHECK(to_integer("-9223372036854775808") == INT64_MIN);
  CHECK(to_integer("+5") == 5);
  CHECK(!to_integer("+-5"));
  CHECK(!to_integer("9223372036854775808"));
  CHECK(!to_integer("1.0"));
  CHECK(!to_integer(""));
}

TEST_CASE("nearest: what was probably meant") {
  const std::vector<std::string_view> known = {"status", "scan", "set", "get", "--json"};
  CHECK(nearest("stauts", known) == "status");
  CHECK(nearest("stat", known) == "status");
  CHECK(nearest("gett", known) == "get");
  CHECK(nearest("--jsn", known) == "--json");
  CHECK(nearest("frobnicate", known).empty());
  CHECK(nearest(std::string(1000, 'x'), known).empty());
}
