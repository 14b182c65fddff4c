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
  const auto raw = from_environment([](const std::string& name) -> std::optional<std::string> {
    if (name == "ZATT_ELECTION_TIMEOUT_MS") return "100";
    if (name == "ZATT_CONFIG") return "f";
    if (name == "ZATT_ID") return "";
    return std::nullopt;
  });
  CHECK(raw.size() == 2);
  CHECK(raw.at("election_timeout_ms").from == "ZATT_ELECTION_TIMEOUT_MS");
  CHECK(raw.at("config").text == "f");
}

TEST_CASE("from_environment: what Kubernetes sets for a service named zatt is no setting") {
  const auto raw = from_environment([](const std::string& name) -> std::optional<std::string> {
    if (name == "ZATT_PORT") return "tcp://10.0.0.11:5254";
    return std::nullopt;
  });
  CHECK(raw.empty());
}

TEST_CASE("odd_environment: names that nobody asks for, and values not meant for us") {
  const std::vector<std::string> lines = {"HOME=/root",
                                          "ZATT_PORT=tcp://10.0.0.11:5254",
                                          "ZATT_PORT_5254_TCP_ADDR=10.0.0.11",
                                          "ZATT_SERVICE_HOST=10.0.0.11",
                                          "ZATT_SERVERS=a:1",
                                          "ZATT_ID=0",
                                          "ZATT_CONFIG=x",
                                          "ZATT_ELECTION_TIMEOUT=900"};
  const auto odd = odd_environment(lines);
  REQUIRE(odd.size() == 2);
  CHECK(odd[0].find("Kubernetes") != std::string::npos);
  CHECK(odd[1].find("did you mean ZATT_ELECTION_TIMEOUT_MS?") != std::string::npos);
  CHECK(odd_environment(std::vector<std::string>{"ZATT_PORT=5254"}).empty());
}
