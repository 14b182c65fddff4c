// SPDX-License-Identifier: AGPL-3.0-or-later
#include "config/settings.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

using namespace zatt;
using namespace zatt::config;

namespace {

constexpr const char* three =
    R"({"cluster": {"a": ["10.0.0.1", 5254], "b": ["::1", 5255], "c": ["three.example", 5256]},)"
    R"( "storage": "of-the-file", "election_timeout_ms": 200})";

// As a host program gives them: a text, and what wins over it.
Result<Settings> resolve_text(const std::string& text, RawSettings over = {},
                              bool wants_id = true) {
  Inputs sources;
  sources.raw = std::move(over);
  sources.raw.emplace("config", RawSetting{"config", "options"});
  auto file = parse_config_file("config", text);
  if (!file) return file.error();
  sources.file = std::move(*file);
  sources.id_option = "an id";
  sources.wants_id = wants_id;
  return resolve(std::move(sources));
}

std::string error_of(const std::string& text, RawSettings over = {}) {
  const auto settings = resolve_text(text, std::move(over));
  return settings ? "(good)" : to_string(settings.error());
}

}  // namespace

TEST_CASE("invariant checker: nothing given is a store of one node") {
  const auto settings = resolve({});
  REQUIRE(settings);
  CHECK(settings->node.id == "0");
  CHECK(settings->node.cluster == Members{{"0", {"127.0.0.1", 5254}}});
  CHECK(settings->listen == Address{"127.0.0.1", 5254});
  CHECK(settings->node.storage == "zatt.0.persist");
  CHECK(!settings->debug);
}

TEST_CASE(
    "invariant checker: what is given wins over the file, and each line says where it came from") {
  const auto settings =
      resolve_text(three, {{"id", {"b", "options"}}, {"storage", {"here", "options"}}});
  REQUIRE(settings);
  CHECK(settings->node.id == "b");
  CHECK(settings->listen == Address{"::1", 5255});
  CHECK(settings->node.storage == "here");
  CHECK(settings->node.election_timeout_ms == 200);
  std::string storage;
  for (const Settings::Line& line : settings->lines)
    if (line.name == "storage") storage = line.value + " " + line.from;
  CHECK(storage == "here options");
}

TEST_CASE("settings: errors name the setting and its source") {
  struct Row {
    const char* text;
    RawSettings over;
    const char* want;
  };
  const Row rows[] = {
      {three, {}, "which node is this? give an id; config has a, b, c"},
      {three, {{"id", {"x", "options"}}}, R"(no node "x" in config; it has a, b, c)"},
      {"{}",
       {{"id", {"a b", "options"}}},
       R"(options: id "a b": an id has 1 to 64 letters, digits, '.', '_' and '-')"},
      {R"({"storage": ""})", {}, R"(config: storage "": a directory's name is wanted)"},
      {R"({"segment_bytes": 1})",
       {},
       R"(config: segment_bytes "1": a whole number from 65536 to 1073741824 is wanted)"},
      {R"({"create": "no"})", {}, R"(config: create "no": "auto" or "never" is wanted)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.want);
    CHECK(error_of(row.text, row.over) == row.want);
  }
}

TEST_CASE("invariant checker: a file can be looked at without saying which node this is") {
  const auto settings = resolve_text(three, {}, false);
  REQUIRE(settings);
  CHECK(settings->node.id.empty());
  CHECK(settings->node.cluster.size() == 3);
}

TEST_CASE("read_file: a file without an end is none") {
  CHECK(to_string(read_file("/dev/zero").error()) ==
        "/dev/zero is not a configuration file: it has more than 1 MiB");
}

TEST_CASE("read_file: the whole text, or which file cannot be read") {
  CHECK(to_string(read_file("/nowhere/zatt.conf").error()).find("cannot read /nowhere/zatt.conf") ==
        0);
}
