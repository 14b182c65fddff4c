// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/options.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "zattd/help.h"

using namespace zatt;
using config::Members;

namespace {

using Strings = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

constexpr const char* three =
    R"({"cluster": {"0": ["10.0.0.1", 5254], "1": ["::1", 5255], "2": ["three.example", 5256]}})";

Result<Settings> parse_with(const Strings& arguments, const Variables& variables = {},
                            const std::string& file = three) {
  return parse(
      arguments,
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
      },
      [&](const std::string& name) -> Result<std::string> {
        if (name != "zatt.conf") return Error{Code::invalid, 0, "", "cannot read " + name};
        return file;
      });
}

std::string error_of(const Strings& arguments, const Variables& variables = {},
                     const std::string& file = three) {
  const auto settings = parse_with(arguments, variables, file);
  return settings ? "(good)" : to_string(settings.error());
}

std::string from(const Settings& settings, const std::string& name) {
  for (const Settings::Line& line : settings.lines)
    if (line.name == name) return line.value + " " + line.from;
  return "(not there)";
}

}  // namespace

TEST_CASE("parse: no arguments at all are a store of one node") {
  const auto settings = parse_with({});
  REQUIRE(settings);
  CHECK(settings->action == Action::run);
  CHECK(settings->node.id == "0");
  CHECK(settings->node.cluster == Members{{"0", {"127.0.0.1", 5254}}});
  CHECK(settings->listen == Address{"127.0.0.1", 5254});
  CHECK(settings->node.storage == "zatt.0.persist");
  CHECK(settings->node.election_timeout_ms == 600);
  CHECK(settings->node.segment_bytes == 4 << 20);
  CHECK(settings->node.max_request_bytes == (1 << 20) + (64 << 10));
  CHECK(settings->node.max_buffer_bytes >= 4 * settings->node.max_request_bytes);
  CHECK(settings->node.max_buffer_bytes <= 64 << 20);
  CHECK(settings->node.create);
  CHECK(!settings->debug);
}

TEST_CASE("parse: what is held for clients is at least four requests") {
  const auto settings = parse_with({"--max-request-bytes", "10000", "--max-buffer-bytes", "40000"});
  REQUIRE(settings);
  CHECK(settings->node.max_buffer_bytes == 40'000);
  CHECK_FALSE(parse_with({"--max-request-bytes", "10000", "--max-buffer-bytes", "39999"}));
  const auto large = parse_with({"--max-request-bytes", "16777216"});
  REQUIRE(large);
  CHECK(large->node.max_buffer_bytes == 64 << 20);
}

TEST_CASE("parse: a member of a cluster, and what it listens on") {
  const auto settings = parse_with({"-c", "zatt.conf", "--id", "1", "-s", "data", "--debug"});
  REQUIRE(settings);
  CHECK(settings->node.id == "1");
  CHECK(settings->node.cluster.size() == 3);
  CHECK(settings->node.cluster.at("2") == Address{"three.example", 5256});
  CHECK(settings->listen == Address{"::1", 5255});
  CHECK(settings->node.storage == "data");
  CHECK(settings->debug);

  const auto other = parse_with({"-czatt.conf", "-i1", "-a0.0.0.0", "--port=7000"});
  REQUIRE(other);
  CHECK(other->listen == Address{"0.0.0.0", 7000});
  CHECK(other->node.cluster.at("1") == Address{"::1", 5255});  // what the others dial
}

TEST_CASE("parse: options over environment over file over defaults") {
  const std::string file = R"({"cluster": [["a", 1], ["b", 2]], "id": "0", "port": 10,
      "election_timeout_ms": 100, "max_request_bytes": 5000, "debug": true, "create": "never"})";
  const Variables variables = {{"ZATT_CONFIG", "zatt.conf"},
                               {"ZATT_ID", "1"},
                               {"ZATT_PORT", "20"},
                               {"ZATT_ELECTION_TIMEOUT_MS", "200"},
                               {"ZATT_STORAGE", ""}};
  const auto settings = parse_with({"--port", "30"}, variables, file);
  REQUIRE(settings);
  CHECK(from(*settings, "config") == "zatt.conf ZATT_CONFIG");
  CHECK(from(*settings, "id") == "1 ZATT_ID");
  CHECK(from(*settings, "port") == "30 --port");
  CHECK(from(*settings, "address") == "b cluster");
  CHECK(from(*settings, "election_timeout_ms") == "200 ZATT_ELECTION_TIMEOUT_MS");
  CHECK(from(*settings, "max_request_bytes") == "5000 zatt.conf");
  CHECK(from(*settings, "storage") == "zatt.1.persist default");
  CHECK(from(*settings, "segment_bytes") == "4194304 default");
  CHECK(from(*settings, "debug") == "true zatt.conf");
  CHECK(from(*settings, "cluster.0") == "a:1 zatt.conf");
  CHECK(settings->node.election_timeout_ms == 200);
  CHECK(settings->node.max_request_bytes == 5000);
  CHECK(!settings->node.create);
  CHECK(printed_config(*settings).find("ZATT_ELECTION_TIMEOUT_MS\n") != std::string::npos);
}

TEST_CASE("parse: a cluster given by options has the same ids on every node") {
  struct Row {
    const char* own;
    Strings others;
    const char* id;
  };
  const Row rows[] = {
      {"5254", {"5255", "5256"}, "0"},
      {"5255", {"5256", "5254"}, "1"},
      {"5256", {"5254", "5255"}, "2"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.own);
    Strings arguments = {"-a", "127.0.0.1", "-p", row.own};
    for (const std::string& port : row.others)
      arguments.insert(arguments.end(), {"--remote-address", "127.0.0.1", "--remote-port", port});
    const auto settings = parse_with(arguments);
    REQUIRE(settings);
    CHECK(settings->node.id == row.id);
    CHECK(settings->node.cluster == Members{{"0", {"127.0.0.1", 5254}},
                                            {"1", {"127.0.0.1", 5255}},
                                            {"2", {"127.0.0.1", 5256}}});
  }
  const auto ports_as_numbers =
      parse_with({"-p", "900", "--remote-address", "127.0.0.1", "--remote-port", "10000"});
  REQUIRE(ports_as_numbers);
  CHECK(ports_as_numbers->node.id == "0");
}

TEST_CASE("parse: what is wrong with the options") {
  struct Row {
    Strings arguments;
    const char* want;
  };
  const Row rows[] = {
      {{"-c", "zatt.conf", "--id", "7"}, R"(no node "7" in zatt.conf; it has 0, 1, 2)"},
      {{"-c", "zatt.conf"}, "which node is this? give --id; zatt.conf has 0, 1, 2"},
      {{"-c", "other.conf"}, "cannot read other.conf"},
      {{"-c"}, "-c needs a file"},
      {{"--id", "--debug"}, "--id needs an id"},
      {{"--elecion-timeout-ms", "5"},
       "unknown option --elecion-timeout-ms; did you mean --election-timeout-ms?"},
      {{"--zzz"}, "unknown option --zzz; see zattd --help"},
      {{"-x"}, "unknown option -x; see zattd --help"},
      {{"stray"}, "\"stray\" is not an option; see zattd --help"},
      {{""}, "\"\" is not an option; see zattd --help"},
      {{"-p", "70000"}, "--port \"70000\": a port is a number from 1 to 65535"},
      {{"-p", "0"}, "--port \"0\": a port is a number from 1 to 65535"},
      {{"-p", "-1"}, "--port \"-1\": a port is a number from 1 to 65535"},
      {{"-p", "1", "-p", "2"}, "--port is given twice: 1 and 2"},
      {{"-a", "a b"},
       "--address \"a b\": a host is a name or an IP address, without port or brackets"},
      {{"--debug=yes"}, "--debug takes no value"},
      {{"--id", "a/b"}, "--id \"a/b\": an id has 1 to 64 letters, digits, '.', '_' and '-'"},
      {{"--id", ".."}, "--id \"..\": an id has 1 to 64 letters, digits, '.', '_' and '-'"},
      {{"-s", ""}, "--storage \"\": a directory's name is wanted"},
      {{"--election-timeout-ms", "49"},
       "--election-timeout-ms \"49\": a whole number from 50 to 600000 is wanted"},
      {{"--max-request-bytes", "4095"},
       "--max-request-bytes \"4095\": a whole number from 4096 to 16777216 is wanted"},
      {{"--create", "always"}, "--create \"always\": \"auto\" or \"never\" is wanted"},
      {{"--remote-address", "h"}, "--remote-address h has no --remote-port"},
      {{"--remote-port", "1"}, "--remote-port 1 has no --remote-address"},
      {{"--remote-address", "h", "--remote-address", "i"},
       "--remote-address and --remote-port come in pairs: one of each a node"},
      {{"--remote-address", "127.0.0.1", "--remote-port", "5254"}, "127.0.0.1:5254 is named twice"},
      {{"-i", "0", "-a", "z", "--remote-address", "h", "--remote-port", "1"},
       "--id \"0\": by its address, z:5254, this node is \"1\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.want);
    CHECK(error_of(row.arguments) == row.want);
  }
  CHECK(error_of({}, {{"ZATT_PORT", "x"}}) ==
        "ZATT_PORT \"x\": a port is a number from 1 to 65535");
  CHECK(error_of({}, {{"ZATT_DEBUG", "maybe"}}) ==
        "ZATT_DEBUG \"maybe\": \"true\" or \"false\" is wanted");
}

TEST_CASE("parse: looking at a file needs no id") {
  for (const char* const action : {"--check-config", "--print-config"}) {
    const auto settings = parse_with({"-c", "zatt.conf", action});
    REQUIRE(settings);
    CHECK(settings->action != Action::run);
  }
  CHECK(error_of({"-c", "zatt.conf", "--check-config", "--id", "7"}) ==
        R"(no node "7" in zatt.conf; it has 0, 1, 2)");
}

TEST_CASE("parse: help and version, whatever else stands there") {
  REQUIRE(parse_with({"-p", "x", "--help"}));
  CHECK(parse_with({"-h"})->action == Action::help);
  CHECK(parse_with({"-c", "missing", "--version"})->action == Action::version);
}

TEST_CASE("parse: one address in brackets, and a file of one node") {
  const auto settings = parse_with({"-a", "[::1]"});
  REQUIRE(settings);
  CHECK(settings->listen == Address{"::1", 5254});
  const auto lone = parse_with({"-c", "zatt.conf"}, {}, R"({"cluster": {"x": ["h", 1]}})");
  REQUIRE(lone);
  CHECK(lone->node.id == "x");
  CHECK(lone->node.storage == "zatt.x.persist");
}
