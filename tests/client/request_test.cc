// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/request.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt;
using namespace zatt::client;

namespace {

std::string line_of(const Request& request, std::uint32_t timeout_ms = 700) {
  RequestWriter writer;
  auto line = writer.begin(request);
  if (!line) return "!" + line.error().detail;
  RequestWriter::end(*line, request.op, timeout_ms);
  return *line;
}

Request request_of(Op op, std::string key = "", std::string value = "") {
  Request request;
  request.op = op;
  request.key = std::move(key);
  request.value = std::move(value);
  return request;
}

}  // namespace

TEST_CASE("a request is one line, with its fields in the protocol's order") {
  Request scan = request_of(Op::scan);
  scan.prefix = "a";
  scan.after = "";
  scan.limit = 7;
  scan.keys_only = true;
  scan.stale = true;
  Request incr = request_of(Op::incr, "n");
  incr.by = -3;
  const struct {
    Request request;
    std::string want;
  } rows[] = {
      {request_of(Op::get, "k"), R"({"op":"get","key":"k","timeout_ms":700})"},
      {request_of(Op::get, ""), R"({"op":"get","key":"","timeout_ms":700})"},
      {request_of(Op::set, "k", "[1,\"x\"]"),
       R"({"op":"set","key":"k","value":[1,"x"],"timeout_ms":700})"},
      {request_of(Op::del, "k"), R"({"op":"delete","key":"k","timeout_ms":700})"},
      {incr, R"({"op":"incr","key":"n","by":-3,"timeout_ms":700})"},
      {scan,
       R"({"op":"scan","prefix":"a","after":"","limit":7,"keys_only":true,"stale":true,"timeout_ms":700})"},
      {request_of(Op::scan), R"({"op":"scan","timeout_ms":700})"},
      {request_of(Op::count), R"({"op":"count","timeout_ms":700})"},
      {request_of(Op::status), R"({"op":"status","timeout_ms":700})"},
      {request_of(Op::ping), R"({"op":"ping","timeout_ms":700})"},
      {request_of(Op::line, "", R"(  {"op":"ping"})"), R"(  {"op":"ping"})"},
  };
  for (const auto& row : rows) CHECK(line_of(row.request) == row.want + "\n");
}

TEST_CASE("strings are written as the characters they are") {
  CHECK(line_of(request_of(Op::get, "é\"\\\n\x01/")) ==
        "{\"op\":\"get\",\"key\":\"é\\\"\\\\\\n\\u0001/\",\"timeout_ms\":700}\n");
}

TEST_CASE("conditions") {
  using Kind = Condition::Kind;
  const struct {
    Condition condition;
    std::string want;
  } rows[] = {
      {{Kind::absent, 0, ""}, R"({"exists":false})"},
      {{Kind::exists, 0, ""}, R"({"exists":true})"},
      {{Kind::rev, 17, ""}, R"({"rev":17})"},
      {{Kind::value, 0, "[ 1 ]"}, R"({"value":[1]})"},
  };
  for (const auto& row : rows) {
    Request request = request_of(Op::del, "k");
    request.condition = row.condition;
    CHECK(line_of(request) ==
          R"({"op":"delete","key":"k","if":)" + row.want + ",\"timeout_ms\":700}\n");
  }
  Request bad = request_of(Op::del, "k");
  bad.condition = {Kind::value, 0, "nope"};
  CHECK(line_of(bad) == "!if: JSON text expected: \"nope\" with its quotes");
  bad.condition = {Kind::value, 0, ""};
  CHECK(line_of(bad) == "!if: value is not JSON: byte 1: a value expected");
}

TEST_CASE("a value must be one JSON value and nothing besides") {
  CHECK(line_of(request_of(Op::set, "k", " {\n \"a\" : 1 }\t")) ==
        "{\"op\":\"set\",\"key\":\"k\",\"value\":{\"a\":1},\"timeout_ms\":700}\n");
  for (const char* value :
       {"", " ", "1}", "1},{\"op\":\"delete\"", R"(1,"if":{"rev":0})", "\"a", "01", "nul", "'x'",
        "{a:1}", "[x", "+5", ".5", "-", "\"\xff\"", "\xff", "\"\\ud800\"", "1,\"v\":2"}) {
    CAPTURE(value);
    CHECK(line_of(request_of(Op::set, "k", value)).starts_with("!value is not JSON: byte "));
  }
  const std::string deep(128, '[');
  CHECK(line_of(request_of(Op::set, "k", deep + std::string(128, ']')))[0] == '{');
  CHECK(line_of(request_of(Op::set, "k", '[' + deep + std::string(129, ']')))[0] == '!');
}

TEST_CASE("a value that is text without its quotes: JSON is named, and how it would look") {
  struct {
    std::string value;
    const char* want;
  } rows[] = {
      {"hello", R"("hello")"},
      {"Zo\xc3\xab said \"hi\"", R"("Zoë said \"hi\"")"},
      {" two words", R"(" two words")"},
      {"10.0.0.1", R"("10.0.0.1")"},
      {"NaN", R"("NaN")"},
      {std::string(40, 'x'), R"("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")"},
      {std::string(39, 'x') + "\xc3\xab", R"("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…")"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.value);
    CHECK(line_of(request_of(Op::set, "k", row.value)) ==
          "!JSON text expected: " + std::string(row.want) + " with its quotes");
  }
  CHECK(line_of(request_of(Op::set, "k", "{a:'b'}")).find("shell") == std::string::npos);
}

TEST_CASE("a key must be UTF-8") {
  CHECK(line_of(request_of(Op::get, "\xc3")) == "!key is not UTF-8 text");
  CHECK(line_of(request_of(Op::get, std::string("a\0b", 3))) ==
        "{\"op\":\"get\",\"key\":\"a\\u0000b\",\"timeout_ms\":700}\n");
  Request scan = request_of(Op::scan);
  scan.after = "\xff";
  CHECK(line_of(scan) == "!after is not UTF-8 text");
}

TEST_CASE("a line of the caller's own is one line") {
  for (const char* line : {"", "\r"})
    CHECK(line_of(request_of(Op::line, "", line)) == "!an empty line is not a request");
  CHECK(line_of(request_of(Op::line, "", "{}\n{}")) == "!a request is one line");
}

TEST_CASE("what only reads may be asked twice") {
  RequestWriter writer;
  for (const Op op : {Op::get, Op::scan, Op::count, Op::status, Op::ping})
    CHECK(writer.only_reads(request_of(op)));
  for (const Op op : {Op::set, Op::del, Op::incr}) CHECK(!writer.only_reads(request_of(op)));
  for (const char* line : {R"({"op":"get","key":"a"})", R"({"key":"set","op" : "\u0067et"})"})
    CHECK(writer.only_reads(request_of(Op::line, "", line)));
  for (const char* line :
       {R"({"op":"set","key":"get"})", R"({"op":"get","op":"set"})", R"({"op":["get"]})",
        R"({"op":"get"}x)", "get", R"({"op":"touch"})", R"({"x":{"op":"get"}})"})
    CHECK(!writer.only_reads(request_of(Op::line, "", line)));
}
