// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/servers.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt;
using namespace zatt::client;

namespace {

std::string text_of(std::string_view list) {
  const auto servers = parse_servers(list);
  if (!servers) return "!" + servers.error().detail;
  std::string text;
  for (const Address& server : *servers) text += (text.empty() ? "" : " ") + to_string(server);
  return text;
}

Reply status(std::string cluster, std::vector<Member> members) {
  Reply reply;
  reply.cluster = std::move(cluster);
  reply.members = std::move(members);
  return reply;
}

const Address a{"127.0.0.1", 1};
const Address b{"127.0.0.1", 2};
const Address c{"127.0.0.1", 3};

}  // namespace

TEST_CASE("a list of servers") {
  CHECK(text_of("127.0.0.1:5254") == "127.0.0.1:5254");
  CHECK(text_of("a.example") == "a.example:5254");
  CHECK(text_of(" a:1 , b:2,a:1") == "a:1 b:2");
  CHECK(text_of("[::1]:80") == "[::1]:80");
  CHECK(text_of("[::1]") == "[::1]:5254");
  CHECK(text_of("::1") == "[::1]:5254");
  for (const char* bad : {"", ",", "a:1,", "a:0", "a:65536", "a:x", "a:1x", "a:", ":1", "[::1",
                          "[::1]x", "a b:1", "http://a:1", "[]:1"}) {
    CAPTURE(bad);
    CHECK(text_of(bad).starts_with("!\""));
  }
}

TEST_CASE("round and round, from where it stays") {
  Servers servers({a, b, c});
  CHECK(servers.next() == a);
  CHECK(servers.next() == b);
  servers.pin(a);
  CHECK(servers.next() == b);
  CHECK(servers.next() == c);
  CHECK(servers.next() == a);
}

TEST_CASE("members are learned, replaced and found") {
  Servers servers({a});
  CHECK(servers.learn(a, status("1", {{"x", "127.0.0.1", 1}, {"y", "127.0.0.1", 2}})));
  CHECK(servers.size() == 2);
  CHECK(servers.find("x") == a);
  CHECK(servers.find("y") == b);
  CHECK(!servers.find("z"));
  CHECK(servers.learn(b, status("1", {{"x", "127.0.0.1", 1}, {"z", "127.0.0.1", 3}})));
  CHECK(servers.size() == 2);
  CHECK(!servers.find("y"));
  CHECK(servers.find("z") == c);
}

TEST_CASE("a name that was not looked up is no server; one that was, is") {
  Servers servers({{"near.example", 1}});
  CHECK(servers.learn({"near.example", 1},
                      status("1", {{"x", "near.example", 1}, {"y", "far.example", 1}})));
  CHECK(servers.size() == 1);
  CHECK(servers.find("x") == Address{"near.example", 1});
  CHECK(!servers.find("y"));
}

TEST_CASE("what was only learned must be of the same cluster") {
  Servers servers({a});
  CHECK(servers.learn(a, status("", {})));  // not founded yet
  CHECK(servers.learn(a, status("1", {{"x", "127.0.0.1", 1}, {"y", "127.0.0.1", 2}})));
  CHECK(!servers.learn(b, status("2", {{"x", "127.0.0.1", 3}})));
  CHECK(servers.find("y") == b);
  // The one that was given may have been made anew.
  CHECK(servers.learn(a, status("2", {{"x", "127.0.0.1", 1}})));
  CHECK(servers.size() == 1);
}

TEST_CASE("who failed lately") {
  Servers servers({a, b});
  CHECK(!servers.has_failed_lately(a, 0));
  servers.failed(a, "gone", 10);
  CHECK(servers.has_failed_lately(a, 11));
  CHECK(!servers.has_failed_lately(b, 11));
  CHECK(!servers.has_failed_lately(a, 10'000'000));
}

TEST_CASE("those that failed are named with the reason, until they answer again") {
  Servers servers({a, b, c});
  CHECK(servers.failures() == "");
  servers.failed(a, "Connection refused", 10);
  servers.failed(c, "it did not answer in time", 20);
  CHECK(servers.failures() ==
        "127.0.0.1:1: Connection refused; 127.0.0.1:3: it did not answer in time");
  CHECK(servers.learn(a, status("77", {})));
  CHECK(servers.failures() == "127.0.0.1:3: it did not answer in time");
}
