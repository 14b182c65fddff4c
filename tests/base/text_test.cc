// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/text.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

namespace zatt {

TEST_CASE("join: what is between them, and only there") {
  CHECK(join(std::vector<std::string>{}) == "");
  CHECK(join(std::vector<std::string>{"a"}) == "a");
  CHECK(join(std::vector<std::string>{"", "a", ""}) == ", a, ");
  CHECK(join(std::vector<std::string>{"a", "b"}, "") == "ab");
  const std::map<std::string, int> ports = {{"a", 1}, {"b", 2}};
  CHECK(join(ports, " ", &std::map<std::string, int>::value_type::first) == "a b");
  CHECK(join(std::vector<int>{1, 2}, "+", [](int n) { return std::to_string(n); }) == "1+2");
}

TEST_CASE("to_number: the whole text, and within the type") {
  CHECK(to_number<std::uint64_t>("18446744073709551615") == UINT64_MAX);
  CHECK(to_number<std::int64_t>("-9223372036854775808") == INT64_MIN);
  CHECK(to_number<std::uint16_t>("65535") == 65535);
  CHECK(to_number<unsigned>("00Ff", 16) == 255);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "18446744073709551616"}) {
    CAPTURE(text);
    CHECK(!to_number<std::uint64_t>(text));
  }
  CHECK(!to_number<std::int64_t>("9223372036854775808"));
  CHECK(!to_number<std::uint16_t>("65536"));
  CHECK(!to_number<unsigned>("-1", 16));
  CHECK(!to_number<unsigned>("12g4", 16));
}

TEST_CASE("hex: lower case, leading zeros") {
  CHECK(hex(0xabc, 4) == "0abc");
  CHECK(hex(UINT64_MAX, 16) == "ffffffffffffffff");
  CHECK(hex(std::string_view("\x00\x7f\xff", 3)) == "007fff");
}

TEST_CASE("quote: what is long is shortened, between characters") {
  CHECK(quote("short") == "\"short\"");
  CHECK(quote(std::string(64, 'a')) == "\"" + std::string(64, 'a') + "\"");
  CHECK(quote(std::string(65, 'a')) == "\"" + std::string(64, 'a') + "…\"");
  CHECK(quote(std::string(63, 'a') + "\xe2\x82\xac") == "\"" + std::string(63, 'a') + "…\"");
  CHECK(utf8_prefix("a€", 4) == "a€");
  CHECK(utf8_prefix("a€", 3) == "a");
  CHECK(utf8_count("aé€😀") == 4);
}

TEST_CASE("printable: nobody's sentence moves the cursor or ends the line") {
  CHECK(printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(printable(std::string_view("a\nb\0c\x1b\x7f", 7)) == "a?b?c??");
  CHECK(printable("a\nb\x1b[2Jc\x7f\xc2\x9b!é") ==
        "a?b?[2Jc?"
        "?!é");
  CHECK(printable("no c1 \xc2\xa0") == "no c1 \xc2\xa0");
  CHECK(printable("cut off \xc2") == "cut off \xc2");
  CHECK(has_control_characters("a\xc2\x80"));
  CHECK(!has_control_characters("a\xc2\xa0"));
}

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
      {"after the last code point", "\xf4\x90\x80\x80", false},
      {"five bytes", "\xf8\x88\x80\x80\x80", false},
      {"two bytes and no continuation", "\xc3(", false},
      {"Latin-1", "caf\xe9", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(is_utf8(row.text) == row.want);
  }
  CHECK(utf8_length("a€") == 1);
  CHECK(utf8_length("€a") == 3);
  CHECK(utf8_length("\xe2\x82") == 0);
}

TEST_CASE("nearest: what was probably meant") {
  constexpr std::string_view known[] = {"get",        "set", "delete",   "value",
                                        "timeout_ms", "id",  "keys_only"};
  struct Row {
    const char* name;
    const char* want;
  };
  const Row rows[] = {
      {"gte", "get"},
      {"vlaue", "value"},
      {"val", "value"},
      {"del", "delete"},
      {"GET", "get"},
      {"timeout", "timeout_ms"},
      {"valu", "value"},
      {"timout_ms", "timeout_ms"},
      {"keysonly", "keys_only"},
      {"remove", ""},
      {"x", ""},
      {"", ""},
      {"put", ""},
      {"get", "get"},
      {"ud", "id"},
      {"Delete", "delete"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(nearest(row.name, known) == row.want);
  }
  CHECK(nearest(std::string(1000000, 'x'), known).empty());
  CHECK(did_you_mean("vlaue", known) == "; did you mean \"value\"?");
  CHECK(did_you_mean("zzz", known).empty());
}

}  // namespace zatt
