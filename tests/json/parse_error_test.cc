// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/parse_error.h"

#include <doctest/doctest.h>

#include <string>

namespace zatt::json {

TEST_CASE("parse error: the byte, and what was expected there") {
  struct Row {
    const char* text;
    const char* want;
    bool unquoted = false;
  };
  const Row rows[] = {
      {"{op:get,key:a}", "byte 2: a name in double quotes expected", true},
      {"{'op':'get'}", "byte 2: a name in double quotes expected", true},
      {"op:get key:a", "byte 1: an object expected: { and names in double quotes", true},
      {"'{\"op\":\"ping\"}'", "byte 1: an object expected: { and names in double quotes", true},
      {"{\"op\":get}", "byte 7: a value expected, strings in double quotes", true},
      {"{1:2}", "byte 2: a name in double quotes expected"},
      {"{\"a\":1,}", "byte 8: a name in double quotes expected"},
      {"{\"a\":1 \"b\":2}", "byte 8: , or } expected"},
      {"{\"a\":[1 2]}", "byte 9: , or ] expected"},
      {"{\"a\":[1}", "byte 8: , or ] expected"},
      {"{\"a\" 1}", "byte 6: : expected after the name"},
      {"{\"a\":}", "byte 6: a value expected"},
      {"{\"a\":[1,]}", "byte 9: a value expected"},
      {"{\"a\":NaN}", "byte 6: a value expected"},
      {"{\"a\":truu}", "byte 6: true expected"},
      {"{\"a\":nulll}", "byte 6: null expected"},
      {"{\"a\":01}", "byte 6: a number may not begin with 0"},
      {"{\"a\":1.}", "byte 8: a digit expected"},
      {"{\"a\":-}", "byte 7: a digit expected"},
      {"{\"a\":1e}", "byte 8: a digit expected"},
      {"{\"a\":1.2.3}", "byte 9: , or } expected"},
      {"{\"a\":\"b", "byte 6: a string without an end"},
      {"{\"a\":\"\\x\"}", "byte 7: no such escape in a string; a backslash itself is \\\\"},
      {"{\"a\":\"\\u12\"}", "byte 7: four hexadecimal digits expected after \\u"},
      {"{\"a\":\"\\ud800\"}", "byte 7: half of a surrogate pair"},
      {"{\"a\":\"\\udc00\"}", "byte 7: half of a surrogate pair"},
      {"{\"a\":\"\t\"}", "byte 7: a raw control character in a string: write it as \\u0009"},
      {"{\"a\":\"\xff\"}", "byte 7: not UTF-8: 0xff"},
      {"{\"a\":1", "byte 7: the text ends before } does"},
      {"{\"a\":[1", "byte 8: the text ends before ] does"},
      {"{} {}", "byte 4: nothing may follow the end of the object"},
      {"{}x", "byte 3: nothing may follow the end of the object"},
      {"\xef\xbb\xbf{}", "byte 1: a byte-order mark; leave it out"},
      {"[1]", "byte 1: an object expected, beginning with {"},
      {"  \"a\"", "byte 3: an object expected, beginning with {"},
      {"", "byte 1: an object expected, beginning with {"},
      {"get a", "byte 1: an object expected, beginning with {"},
      {"{\"a\":[[[1]]]}", "byte 8: nested too deep"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const ParseError fault = diagnose(row.text, 3, {});
    CHECK(at_byte(fault) == row.want);
    CHECK(fault.unquoted == row.unquoted);
  }
  CHECK(diagnose("{\"a\":[[1]]}", 3, {}).what.empty());
}

TEST_CASE("parse error: lines and columns for a file, in characters") {
  const std::string text = "{\n  \"a\": 1,\n  \"\xc3\xa9\": x\n}";
  CHECK(at_line(diagnose(text, 3, {}), text).starts_with("3:8: a value expected"));
  CHECK(line_and_column(text, 0) == "1:1");
  CHECK(line_and_column(text, 2) == "2:1");
  CHECK(line_and_column(text, text.size()) == "4:2");
}

}  // namespace zatt::json
