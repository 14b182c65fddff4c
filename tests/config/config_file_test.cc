// SPDX-License-Identifier: AGPL-3.0-or-later
#include "config/config_file.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt;
using namespace zatt::config;

namespace {

std::string error_of(const std::string& text) {
  const auto file = parse_config_file("zatt.conf", text);
  return file ? "(good)" : to_string(file.error());
}

}  // namespace

TEST_CASE("parse_config_file: ids given, or by position") {
  const auto named = parse_config_file("f", R"({"cluster":{"b":["::1",1],"a":["h",65535]}})");
  REQUIRE(named);
  CHECK(*named->cluster == Members{{"a", {"h", 65535}}, {"b", {"::1", 1}}});
  const auto listed = parse_config_file("f", R"({"cluster":[["x",2],["y",1]]})");
  REQUIRE(listed);
  CHECK(*listed->cluster == Members{{"0", {"x", 2}}, {"1", {"y", 1}}});
  const auto none = parse_config_file("f", " {}\n");
  REQUIRE(none);
  CHECK(!none->cluster);
}

TEST_CASE("parse_config_file: settings keep their text and say where they are from") {
  const auto file = parse_config_file(
      "dir/f", R"({"id":"\u0031","port":1,"debug":false,"storage":"a\/b","create":"auto"})");
  REQUIRE(file);
  CHECK(file->settings.at("id").text == "1");
  CHECK(file->settings.at("port").text == "1");
  CHECK(file->settings.at("debug").text == "false");
  CHECK(file->settings.at("storage").text == "a/b");
  CHECK(file->settings.at("storage").from == "dir/f");
}

TEST_CASE("parse_config_file: what is wrong, and where") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {R"({"clutser": {}})", R"(zatt.conf: unknown key "clutser"; did you mean "cluster"?)"},
      {R"({"election_timeout": 3})",
       R"(zatt.conf: unknown key "election_timeout"; did you mean "election_timeout_ms"?)"},
      {R"({"colour": 3})", R"(zatt.conf: unknown key "colour")"},
      {R"({"port": 1, "port": 1})", R"(zatt.conf: duplicate key "port")"},
      {"{\n  \"port\": \"5254\"}", R"(zatt.conf:2:11: "port" must be a number, not a string)"},
      {R"({"debug": 1})", R"(zatt.conf:1:11: "debug" must be true or false, not a number)"},
      {R"({"id": 0})", R"(zatt.conf:1:8: "id" must be a string, not a number)"},
      {R"({"cluster": {}})", R"(zatt.conf:1:13: "cluster" names no node)"},
      {R"({"cluster": []})", R"(zatt.conf:1:13: "cluster" names no node)"},
      {R"({"cluster": {"0": ["h", "1"]}})",
       R"(zatt.conf:1:19: node "0" must be [host, port], like ["10.0.0.1", 5254])"},
      {R"({"cluster": {"0": ["h", 1, 2]}})",
       R"(zatt.conf:1:19: node "0" must be [host, port], like ["10.0.0.1", 5254])"},
      {R"({"cluster": {"0": "h:1"}})",
       R"(zatt.conf:1:19: node "0" must be [host, port], like ["10.0.0.1", 5254])"},
      {R"({"cluster": {"0": ["h", 70000]}})",
       R"(zatt.conf:1:25: node "0": a port is a number from 1 to 65535)"},
      {R"({"cluster": {"0": ["h", 1.0]}})",
       R"(zatt.conf:1:25: node "0": a port is a number from 1 to 65535)"},
      {R"({"cluster": {"0": ["h h", 1]}})",
       R"(zatt.conf:1:20: node "0": a host is a name or an IP address, without port or brackets)"},
      {R"({"cluster": {"a b": ["h", 1]}})",
       R"(zatt.conf:1:21: node "a b": an id has 1 to 64 letters, digits, '.', '_' and '-')"},
      {R"({"cluster": {"0": ["h", 1], "0": ["i", 1]}})", R"(zatt.conf:1:34: duplicate node "0")"},
      {R"({"cluster": {"0": ["h", 1], "1": ["h", 1]}})",
       R"(zatt.conf:1:34: node "1" and node "0" are both at h:1)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(error_of(row.text) == row.want);
  }
}

TEST_CASE("parse_config_file: text that is no JSON is refused with line and column") {
  for (const char* text :
       {"", "{", "[]", "{\"cluster\": ", "{} x", "{'id': 1}", "{\"id\": \"0\",}"}) {
    CAPTURE(text);
    CHECK(error_of(text).find("zatt.conf:1:") == 0);
  }
  CHECK(error_of("{\n\"id\": \"0\",\n}").find("zatt.conf:3:1: ") == 0);
}
