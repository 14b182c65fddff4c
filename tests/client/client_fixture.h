// SPDX-License-Identifier: AGPL-3.0-or-later
// What tests of the client have in common: three servers, and a client with its connection in hand.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/client.h"
#include "json/reader.h"

namespace zatt::client::test {

inline const Address a{"127.0.0.1", 1};
inline const Address b{"127.0.0.1", 2};
inline const Address c{"127.0.0.1", 3};
inline constexpr std::uint64_t second = 1'000'000;

inline Request get(std::string key) {
  Request request;
  request.op = Op::get;
  request.key = std::move(key);
  return request;
}
inline Request set(std::string key) {
  Request request;
  request.op = Op::set;
  request.key = std::move(key);
  request.value = "1";
  return request;
}
// A client, and both sides of its connection by hand.
struct ClientFixture {
  explicit ClientFixture(std::vector<Address> servers = {a, b, c},
                         std::uint64_t connect_timeout_us = 0, bool pin_server = false)
      : client({std::move(servers), connect_timeout_us, 1, pin_server}) {}

  Client client;
  std::uint64_t now_us = 1'000 * second;
  std::map<Token, Reply> done;

  Token ask(Request request, std::uint64_t timeout_us = 5 * second) {
    const auto token = client.ask(std::move(request), timeout_us, now_us);
    REQUIRE(token);
    return *token;
  }
  std::uint64_t number() const { return client.connection() ? client.connection()->number : 0; }
  Address server() const {
    REQUIRE(client.connection());
    return client.connection()->server;
  }
  void connected() { client.on_connected(number(), now_us); }
  void closed(const char* why = "gone") {
    client.on_closed(number(), why, now_us);
    collect();
  }
  void say(std::string text) {
    const std::size_t size = text.size();
    text.reserve(size + json::slack);
    client.on_bytes(number(), {text.data(), size}, now_us);
    collect();
  }
  // What the client has written since it was last asked; all of it taken.
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    while (!client.outgoing().empty()) {
      const std::string_view text = client.outgoing();
      const std::size_t end = text.find('\n');
      REQUIRE(end != std::string_view::npos);
      out.emplace_back(text.substr(0, end));
      client.on_sent(end + 1, now_us);
    }
    return out;
  }
  void collect() {
    while (auto each = client.next_done()) {
      CHECK(done.count(each->token) == 0);
      done[each->token] = std::move(each->reply);
    }
  }
  void pass(std::uint64_t us) {
    now_us += us;
    client.on_time(now_us);
    collect();
  }
  // Until the client wants something else than it does now, or `us` have passed.
  void pass_until_new(std::uint64_t us) {
    const std::uint64_t before = number();
    const std::uint64_t end = now_us + us;
    while (number() == before && client.wake_at_us() <= end) {
      now_us = std::max(now_us, client.wake_at_us());
      client.on_time(now_us);
      collect();
    }
  }
  // To the connection that follows the one that ended.
  void reconnect() {
    if (!client.connection()) pass_until_new(second);
    REQUIRE(client.connection());
    REQUIRE(!client.is_open());
  }
  // Every connection fails, until the client has nothing left to ask or `us` have passed.
  void refuse_all(std::uint64_t us) {
    const std::uint64_t end = now_us + us;
    while (client.pending() > 0 && now_us < end) {
      if (client.connection()) {
        closed("Connection refused");
      } else {
        const std::uint64_t wake = client.wake_at_us();
        REQUIRE(wake != UINT64_MAX);
        pass(wake > now_us ? wake - now_us : 0);
      }
    }
  }
  static std::string status(const char* node, const char* leader, const char* cluster = "77") {
    return std::string("{\"ok\":true,\"node\":\"") + node +
           "\",\"leader\":" + (leader == nullptr ? "null" : "\"" + std::string(leader) + "\"") +
           ",\"members\":{" +
           "\"a\":{\"address\":[\"127.0.0.1\",1]},\"b\":{\"address\":[\"127.0.0.1\",2]}," +
           "\"c\":{\"address\":[\"127.0.0.1\",3]}},\"cluster\":\"" + cluster + "\"}\n";
  }
  // Connected to the leader, greeted, nothing sent.
  void greet(const char* node = "a", const char* leader = "a") {
    connected();
    REQUIRE(lines() == std::vector<std::string>{R"({"op":"status"})"});
    say(status(node, leader));
  }
};

}  // namespace zatt::client::test
