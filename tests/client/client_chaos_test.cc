// SPDX-License-Identifier: AGPL-3.0-or-later
// The client among servers that do whatever they like.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/prng.h"
#include "tests/client/client_fixture.h"

using namespace zatt;
using namespace zatt::client;
using namespace zatt::client::test;

namespace {

// Servers that lie, hang, refuse and answer; every line they are sent is counted.
struct Chaos {
  explicit Chaos(std::uint64_t seed) : prng(seed), client({{a, b, c}, 0, seed}) {}

  Prng prng;
  Client client;
  std::uint64_t now_us = second;
  bool open = false;
  std::uint64_t number = 0;
  std::string received;
  std::deque<std::string> owed;  // keys of what was asked; "" for a status
  struct Write {
    std::uint64_t deadline_us = 0;
    int sent = 0;
    int refused = 0;  // for certain
    std::optional<Outcome> outcome;
    bool write = false;
  };
  std::map<Token, Write> asked;

  void ask() {
    const bool write = prng.chance(1, 2);
    const std::string key = std::to_string(asked.size() + 1);
    const std::uint64_t timeout_us = prng.between(1'000, 3 * second);
    const auto token = client.ask(write ? set(key) : get(key), timeout_us, now_us);
    REQUIRE(token);
    REQUIRE(std::to_string(*token) == key);
    asked[*token] = {now_us + timeout_us, 0, 0, std::nullopt, write};
  }

  void say(std::string text) {
    const std::size_t size = text.size();
    text.reserve(size + json::slack);
    client.on_bytes(number, {text.data(), size}, now_us);
  }

  void follow() {
    const std::uint64_t wanted = client.connection() ? client.connection()->number : 0;
    if (wanted == number) return;
    number = wanted;
    open = false;
    received.clear();
    owed.clear();
  }

  void take_lines() {
    const std::size_t size = std::min<std::size_t>(client.outgoing().size(), prng.below(200));
    received += client.outgoing().substr(0, size);
    client.on_sent(size, now_us);
    for (std::size_t end = 0; (end = received.find('\n')) != std::string::npos;) {
      const std::string line = received.substr(0, end);
      received.erase(0, end + 1);
      const std::size_t at = line.find("\"key\":\"");
      if (at == std::string::npos) {
        owed.emplace_back();
        continue;
      }
      const std::string key = line.substr(at + 7, line.find('"', at + 7) - at - 7);
      owed.push_back(key);
      Write& write = asked.at(std::stoull(key));
      ++write.sent;
      CHECK(!write.outcome);
      // A write goes out again only after a refusal for certain.
      if (write.write) CHECK(write.sent == write.refused + 1);
    }
  }

  void answer() {
    const std::string key = owed.front();
    owed.pop_front();
    const std::uint64_t drawn = prng.below(20);
    if (key.empty()) {
      const char* const names[] = {"a", "b", "c"};
      const char* const node = names[client.connection()->server.port - 1];
      say(ClientFixture::status(node, drawn < 3   ? nullptr
                                      : drawn < 6 ? names[prng.below(3)]
                                                  : node));
    } else if (drawn < 2) {
      ++asked.at(std::stoull(key)).refused;
      say(drawn == 0 ? "{\"ok\":false,\"error\":\"overloaded\",\"message\":\"\"}\n"
                     : "{\"ok\":false,\"error\":\"shutting_down\",\"message\":\"\"}\n");
    } else if (drawn == 2) {
      say("garbage\n");
    } else {
      say("{\"ok\":true,\"found\":false,\"rev\":1}\n");
    }
  }

  void collect() {
    while (auto done = client.next_done()) {
      Write& write = asked.at(done->token);
      CHECK(!write.outcome);
      write.outcome = done->reply.outcome;
      CHECK(now_us <= write.deadline_us);
      const bool certain =
          *write.outcome != Outcome::ok && *write.outcome != Outcome::outcome_unknown;
      // "Nothing happened" is said only of what was refused each time it was sent.
      if (write.write && certain) CHECK(write.sent == write.refused);
      if (!write.write) CHECK(*write.outcome != Outcome::outcome_unknown);
    }
  }

  void step() {
    follow();
    const std::uint64_t drawn = prng.below(12);
    if (drawn < 2) {
      if (asked.size() < 400) ask();
    } else if (client.connection() && !open) {
      if (prng.chance(2, 3)) {
        open = true;
        client.on_connected(number, now_us);
      } else {
        client.on_closed(number, "refused", now_us);
      }
    } else if (drawn < 7 && open) {
      take_lines();
    } else if (drawn < 10 && open && !owed.empty()) {
      answer();
    } else if (drawn == 10 && open && prng.chance(1, 10)) {
      client.on_closed(number, "reset", now_us);
    } else {
      // Time passes, never over what the client wants to wake for.
      const std::uint64_t next = now_us + prng.below(60'000);
      now_us = std::max(now_us, std::min(next, client.wake_at_us()));
      if (client.wake_at_us() <= now_us) client.on_time(now_us);
    }
    collect();
  }
};

}  // namespace

TEST_CASE("whatever servers do: each request ends once, in time, and no write is sent twice") {
  int done = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Chaos chaos(seed);
    for (int i = 0; i < 4'000; ++i) chaos.step();
    for (int i = 0; i < 2'000 && chaos.client.pending() > 0; ++i) {  // nobody answers any more
      chaos.follow();
      const std::uint64_t wake = chaos.client.wake_at_us();
      REQUIRE(wake != UINT64_MAX);
      chaos.now_us = std::max(chaos.now_us, wake);
      chaos.client.on_time(chaos.now_us);
      chaos.collect();
    }
    CHECK(chaos.client.pending() == 0);
    for (const auto& [token, write] : chaos.asked) {
      CHECK(write.outcome.has_value());
      if (write.outcome == Outcome::ok) ++done;
    }
  }
  CHECK(done > 1'000);
}
