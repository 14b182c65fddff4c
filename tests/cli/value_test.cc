// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/value.h"

#include <doctest/doctest.h>

#include <string>

#include "cli/json_validator.h"

using namespace zatt::cli;

namespace {

Value read(std::string text, ValueIs is = ValueIs::guessed, bool typed = true) {
  JsonValidator validator;
  return to_value(std::move(text), is, typed, [&validator](const std::string& each) {
    return validator.what_is_wrong_with(each);
  });
}

}  // namespace

TEST_CASE("to_value: what parses as JSON is JSON, anything else a string") {
  struct Row {
    const char* typed;
    const char* json;
  };
  const Row rows[] = {
      {"1", "1"},
      {"-1", "-1"},
      {"1.0", "1.0"},
      {"1e400", "1e400"},
      {"true", "true"},
      {"null", "null"},
      {"{\"a\": [1, 2]}", "{\"a\": [1, 2]}"},
      {"\"5\"", "\"5\""},
      {" 7 ", " 7 "},
      {"hello", "\"hello\""},
      {"hello world", "\"hello world\""},
      {"", "\"\""},
      {" ", "\" \""},
      {"01", "\"01\""},
      {"+1", "\"+1\""},
      {"1.", "\"1.\""},
      {"NaN", "\"NaN\""},
      {"True", "\"True\""},
      {"1 2", "\"1 2\""},
      {"1}", "\"1}\""},
      {"1,\"v\":2", "\"1,\\\"v\\\":2\""},
      {"a\"b", "\"a\\\"b\""},
      {"é", "\"é\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.typed);
    const Value value = read(row.typed);
    CHECK(value.wrong == "");
    CHECK(value.json == row.json);
  }
}

TEST_CASE("to_value: what was meant as JSON and is none") {
  for (const char* typed : {"{a:1}", "{", "[1,]", "[hello]", "\"hello", "\"a\"b\"", " {x", "\n[",
                            "{\"a\":1} x", "[\"\\ud800\"]"}) {
    CAPTURE(typed);
    const Value value = read(typed);
    CHECK(value.json == "");
    CHECK(value.wrong.substr(0, 70) ==
          "not JSON; did the shell take the quotes? use '…', or --string (byte ");
    CHECK(read(typed, ValueIs::guessed, false).wrong.substr(0, 10) == "not JSON; ");
    CHECK(read(typed, ValueIs::guessed, false).wrong.find("shell") == std::string::npos);
    CHECK(read(typed, ValueIs::string).wrong == "");
    CHECK(read(typed, ValueIs::json).wrong != "");
  }
  const std::string deep(129, '[');
  CHECK(read(deep + std::string(129, ']')).wrong != "");
  CHECK(read(std::string(128, '[') + std::string(128, ']')).wrong == "");
}

TEST_CASE("to_value: forced") {
  CHECK(read("5", ValueIs::string).json == "\"5\"");
  CHECK(read("\"5\"", ValueIs::string).json == R"("\"5\"")");
  CHECK(read("null", ValueIs::string).json == "\"null\"");
  CHECK(read("hello", ValueIs::json).wrong ==
        "JSON text expected: \"hello\" with its quotes; the shell may have taken them: use '…'");
  CHECK(read("{a:1}", ValueIs::json).wrong.find("; the shell may have taken them") !=
        std::string::npos);
  CHECK(read("[1,]", ValueIs::json).wrong.find("shell") == std::string::npos);
  CHECK(read("hello", ValueIs::json, false).wrong ==
        "JSON text expected: \"hello\" with its quotes");
  CHECK(read("", ValueIs::json).wrong != "");
  CHECK(read("5", ValueIs::json).json == "5");
}

TEST_CASE("to_value: no UTF-8") {
  for (const ValueIs is : {ValueIs::guessed, ValueIs::json, ValueIs::string})
    CHECK(read("caf\xe9", is).wrong == "the value is not UTF-8 text");
}

TEST_CASE("bare: the characters of a string, anything else as it is") {
  CHECK(bare(R"("a\n\"é\"\u0041")") == "a\n\"é\"A");
  CHECK(bare("1.0") == "1.0");
  CHECK(bare(R"({"a":"b"})") == R"({"a":"b"})");
  CHECK(bare("\"\"") == "");
}

TEST_CASE("read_operand: what is typed, and what is in a file") {
  CHECK(read_operand("5").text == "5");
  CHECK(read_operand("5").typed);
  CHECK(read_operand("a@b").text == "a@b");
  const Source missing = read_operand("@/nonexistent/file");
  CHECK(missing.wrong.find("/nonexistent/file: No such file") == 0);
  CHECK(read_operand("@/").wrong.find("/: ") == 0);
  const Source empty = read_operand("@/dev/null");
  CHECK(empty.wrong == "");
  CHECK(empty.text == "");
  CHECK(!empty.typed);
}
