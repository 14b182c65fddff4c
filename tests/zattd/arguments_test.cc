// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/arguments.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace zatt;

TEST_CASE("parse_arguments: every way to write an option") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--port", "7"}, {"--port=7"}, {"-p", "7"}, {"-p7"}}) {
    const auto parsed = parse_arguments(arguments);
    REQUIRE(parsed);
    CHECK(parsed->settings.at("port").text == "7");
    CHECK(parsed->settings.at("port").from == "--port");
  }
}

TEST_CASE("parse_arguments: remote nodes, either half first") {
  const std::vector<std::string> arguments = {"--remote-port",    "1", "--remote-address", "a",
                                              "--remote-address", "b", "--remote-port",    "2"};
  const auto parsed = parse_arguments(arguments);
  REQUIRE(parsed);
  CHECK(parsed->remotes == std::vector<Address>{{"a", 1}, {"b", 2}});
}

TEST_CASE("from_environment: what is set and not empty") {
  const auto given = from_environment([](const std::string& name) -> std::optional<std::string> {
    if (name == "ZATT_ELECTION_TIMEOUT_MS") return "100";
    if (name == "ZATT_CONFIG") return "f";
    if (name == "ZATT_ID") return "";
    return std::nullopt;
  });
  CHECK(given.size() == 2);
  CHECK(given.at("election_timeout_ms").from == "ZATT_ELECTION_TIMEOUT_MS");
  CHECK(given.at("config").text == "f");
}
