// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/record.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt::cli;

TEST_CASE("to_record: what export writes, and scan --json") {
  const std::string line = R"({"key":"a\n\u00e9","value":{"b":[1, "x"]},"rev":7})";
  const Record record = to_record(line);
  CHECK(record.wrong == "");
  CHECK(record.key == "a\né");
  CHECK(record.value == R"({"b":[1, "x"]})");
  CHECK(to_record(R"( { "value" : null , "key" : "" } )").wrong == "");
}

TEST_CASE("to_record: anything else is named") {
  struct Row {
    const char* line;
    const char* sentence;
  };
  const Row rows[] = {
      {"x", "not a JSON object, as {\"key\":\"k\",\"value\":1}"},
      {"[1]", "not a JSON object, as {\"key\":\"k\",\"value\":1}"},
      {R"({"key":"k","value":1)", "not JSON: byte 21: the text ends before } does"},
      {R"({"key":"k","value":1}{})", "not JSON: byte 22: nothing may follow the end of the object"},
      {R"({"key":"k","value":tru})", "not JSON: byte 20: true expected"},
      {R"({"key":1,"value":1})", "its \"key\" is not a string"},
      {R"({"key":"\ud800","value":1})", "not JSON: byte 9: half of a surrogate pair"},
      {R"({"value":1})", "it has no \"key\""},
      {R"({"key":"k"})", "it has no \"value\""},
      {R"({"key":"k","key":"l","value":1})", "duplicate field \"key\""},
      {R"({"key":"","key":"l","value":1})", "duplicate field \"key\""},
      {R"({"key":"k","value":1,"value":2})", "duplicate field \"value\""},
      {R"({"key":"k","value":1,"ttl":2})",
       "unknown field \"ttl\"; known are \"key\" and \"value\""},
      {"{\"key\":\"caf\xe9\",\"value\":1}", "not JSON: byte 12: not UTF-8: 0xe9"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.line);
    CHECK(to_record(row.line).wrong == row.sentence);
  }
}
