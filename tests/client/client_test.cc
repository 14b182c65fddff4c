// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/client.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/client/client_fixture.h"

using namespace zatt;
using namespace zatt::client;
using namespace zatt::client::test;

namespace {

Request raw(std::string line) {
  Request request;
  request.op = Op::line;
  request.value = std::move(line);
  return request;
}

std::string written(const Request& request, std::uint32_t timeout_ms) {
  RequestWriter writer;
  std::string line = *writer.begin(request);
  RequestWriter::end(line, request.op, timeout_ms);
  line.pop_back();
  return line;
}

}  // namespace

TEST_CASE("nothing to ask, no connection") {
  ClientFixture fixture;
  CHECK(!fixture.client.connection());
  CHECK(fixture.client.wake_at_us() == UINT64_MAX);
}

TEST_CASE("a server is greeted, then asked") {
  ClientFixture fixture({a});
  const Token token = fixture.ask(get("k"));
  CHECK(fixture.server() == a);
  CHECK(fixture.client.outgoing().empty());
  fixture.greet();
  CHECK(fixture.lines() == std::vector{written(get("k"), 4750)});
  fixture.say("{\"ok\":true,\"found\":true,\"value\":1,\"rev\":2}\n");
  CHECK(fixture.done.at(token).value == "1");
  CHECK(fixture.client.pending() == 0);
}

TEST_CASE("it goes on to the leader before it asks anything") {
  ClientFixture fixture({a});
  const Token token = fixture.ask(set("k"));
  fixture.greet("a", "c");
  REQUIRE(fixture.server() == c);
  fixture.greet("c", "c");
  CHECK(fixture.lines() == std::vector{written(set("k"), 4750)});
  fixture.say("{\"ok\":true,\"rev\":2}\n");
  CHECK(fixture.done.at(token).rev == 2);
}

TEST_CASE("a leader that cannot be reached is asked through another") {
  ClientFixture fixture({a});
  const Token token = fixture.ask(set("k"));
  fixture.greet("a", "c");
  REQUIRE(fixture.server() == c);
  fixture.closed("Connection refused");
  fixture.reconnect();
  const Address other = fixture.server();
  CHECK(other != c);
  fixture.greet(other == a ? "a" : "b", "c");
  REQUIRE(fixture.server() == other);
  CHECK(fixture.lines().size() == 1);
  fixture.say("{\"ok\":true,\"rev\":2}\n");
  CHECK(fixture.done.at(token).outcome == Outcome::ok);
}

TEST_CASE("two servers that each call the other the leader do not send it round for ever") {
  ClientFixture fixture({a, b});
  fixture.ask(set("k"));
  for (int i = 0; i < 10 && fixture.client.outgoing().empty(); ++i) {
    const bool is_a = fixture.server() == a;
    fixture.greet(is_a ? "a" : "b", is_a ? "b" : "a");
  }
  CHECK(fixture.lines().size() == 1);
}

TEST_CASE("who is to stay asks the servers given, whoever leads, and no member that they name") {
  ClientFixture fixture({a, b}, 0, true);
  const Token token = fixture.ask(raw("{\"op\":\"status\"}"));
  fixture.greet("a", "c");
  REQUIRE(fixture.server() == a);
  CHECK(fixture.lines().size() == 1);
  fixture.say(ClientFixture::status("a", "c"));
  CHECK(fixture.done.count(token) == 1);
  fixture.ask(get("k"), second);
  fixture.lines();
  for (int i = 0; i < 6; ++i) {
    fixture.closed("gone");
    fixture.reconnect();
    CHECK(fixture.server() != c);
  }
}

TEST_CASE("without a leader nothing is sent that needs one") {
  ClientFixture fixture;
  Request stale = get("s");
  stale.stale = true;
  const Token write = fixture.ask(set("k"), second);
  SUBCASE("another server knows one") {
    fixture.greet("a", nullptr);
    CHECK(fixture.client.outgoing().empty());
    fixture.pass_until_new(second);
    REQUIRE(fixture.server() == b);
    fixture.greet("b", "b");
    CHECK(fixture.lines().size() == 1);
  }
  SUBCASE("none does: nothing happened, and it says so") {
    for (int i = 0; i < 1'000 && fixture.done.empty(); ++i) {
      if (fixture.client.connection() && !fixture.client.is_open()) {
        const Address at = fixture.server();
        fixture.greet(at == a ? "a" : at == b ? "b" : "c", nullptr);
      } else {
        for (const std::string& line : fixture.lines()) {
          REQUIRE(line.find("status") != std::string::npos);
          fixture.say(ClientFixture::status("a", nullptr));
        }
        fixture.pass(10'000);
      }
    }
    CHECK(fixture.done.at(write).outcome == Outcome::no_leader);
  }
}

TEST_CASE("what needs no leader is asked without one") {
  ClientFixture fixture({a});
  Request stale = get("s");
  stale.stale = true;
  fixture.ask(stale);
  fixture.ask(raw("{\"op\":\"anything\"}"));
  fixture.greet("a", nullptr);
  CHECK(fixture.lines().size() == 2);
}

TEST_CASE("no server: each is tried, and it is said at the deadline why there was none") {
  ClientFixture fixture;
  const Token token = fixture.ask(set("k"), 2 * second);
  fixture.refuse_all(3 * second);
  CHECK(fixture.done.at(token).outcome == Outcome::no_server);
  CHECK(fixture.done.at(token).message.find("Connection refused") != std::string::npos);
  CHECK(fixture.now_us >= 1'002 * second);
  CHECK(fixture.now_us < 1'002 * second + second / 100);
}

TEST_CASE("no server: who does not want to wait for one does not") {
  ClientFixture fixture({a, b}, second / 2);
  const Token token = fixture.ask(set("k"), 60 * second);
  fixture.refuse_all(2 * second);
  CHECK(fixture.done.at(token).outcome == Outcome::no_server);
  CHECK(fixture.now_us < 1'001 * second);
  // And the next one has its time again.
  const std::uint64_t asked_us = fixture.now_us += 100 * second;
  const Token next = fixture.ask(set("k"), 60 * second);
  fixture.refuse_all(2 * second);
  CHECK(fixture.done.at(next).outcome == Outcome::no_server);
  CHECK(fixture.now_us >= asked_us + second / 2);
}

TEST_CASE("a server that takes the connection and says nothing is left after a second") {
  ClientFixture fixture({a, b});
  fixture.ask(get("k"));
  fixture.connected();
  fixture.lines();
  fixture.pass_until_new(2 * second);
  CHECK(fixture.now_us <= 1'001 * second + second / 10);
  fixture.reconnect();
  CHECK(fixture.server() == b);
}

TEST_CASE("a connection ends: reads are asked again, writes are unknown") {
  ClientFixture fixture({a, b});
  const Token write = fixture.ask(set("w"));
  const Token read = fixture.ask(get("r"));
  fixture.greet();
  CHECK(fixture.lines().size() == 2);
  fixture.closed("Connection reset by peer");
  CHECK(fixture.done.at(write).outcome == Outcome::outcome_unknown);
  CHECK(fixture.done.at(write).message.find("Connection reset by peer") != std::string::npos);
  CHECK(fixture.done.count(read) == 0);
  fixture.reconnect();
  REQUIRE(fixture.server() == b);
  fixture.greet("b", "b");
  const auto again = fixture.lines();
  REQUIRE(again.size() == 1);
  CHECK(again[0].find("\"r\"") != std::string::npos);
}

TEST_CASE("a connection ends: a read that a later write could have overtaken is not asked again") {
  ClientFixture fixture({a, b});
  const Token read = fixture.ask(get("k"));
  const Token write = fixture.ask(set("k"));
  fixture.greet();
  CHECK(fixture.lines().size() == 2);
  fixture.closed();
  CHECK(fixture.done.at(read).outcome == Outcome::unavailable);
  CHECK(fixture.done.at(write).outcome == Outcome::outcome_unknown);
}

TEST_CASE("a connection ends: what it takes with it is told in the order asked") {
  ClientFixture fixture({a, b});
  std::vector<Token> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(fixture.ask(set("k")));
  fixture.greet();
  CHECK(fixture.lines().size() == 5);
  fixture.client.on_closed(fixture.number(), "gone", fixture.now_us);
  std::vector<Token> told;
  while (const auto done = fixture.client.next_done()) told.push_back(done->token);
  CHECK(told == asked);
}

TEST_CASE("a connection ends: what never left is asked elsewhere") {
  ClientFixture fixture({a, b});
  const Token first = fixture.ask(set("1"));
  const Token second_one = fixture.ask(set("2"));
  fixture.greet();
  const std::size_t line = fixture.client.outgoing().find('\n') + 1;
  fixture.client.on_sent(line, fixture.now_us);
  fixture.closed();
  CHECK(fixture.done.at(first).outcome == Outcome::outcome_unknown);
  CHECK(fixture.done.count(second_one) == 0);
  fixture.reconnect();
  fixture.greet("b", "b");
  CHECK(fixture.lines().size() == 1);
}

TEST_CASE("one byte of it may have been enough") {
  ClientFixture fixture({a, b});
  const Token token = fixture.ask(set("1"));
  fixture.greet();
  fixture.client.on_sent(1, fixture.now_us);
  fixture.closed();
  CHECK(fixture.done.at(token).outcome == Outcome::outcome_unknown);
}

TEST_CASE("what certainly did not happen is asked again, while nothing stands behind it") {
  for (const char* error : {"overloaded", "no_leader"}) {
    CAPTURE(error);
    const std::string refusal =
        "{\"ok\":false,\"error\":\"" + std::string(error) + "\",\"message\":\"so\"}\n";
    ClientFixture fixture({a});
    const Token token = fixture.ask(set("k"));
    fixture.greet();
    fixture.lines();
    fixture.say(refusal);
    CHECK(fixture.done.empty());
    fixture.pass(second);
    std::size_t writes = 0;
    for (const std::string& line : fixture.lines())
      writes += line.find("set") != line.npos ? 1U : 0U;
    CHECK(writes == 1);
    // With another behind it the two would change places.
    const Token later = fixture.ask(set("k"));
    fixture.lines();
    if (std::string(error) == "no_leader") fixture.say(ClientFixture::status("a", "a"));
    fixture.say(refusal);
    CHECK(to_string(fixture.done.at(token).outcome) == error);
    CHECK(fixture.done.count(later) == 0);
  }
}

TEST_CASE("asked again and again, until its time is up: then the last refusal is the answer") {
  ClientFixture fixture({a});
  const Token token = fixture.ask(set("k"), second);
  fixture.greet();
  for (int i = 0; i < 200 && fixture.done.empty(); ++i) {
    for (const std::string& line : fixture.lines())
      fixture.say(line.find("status") != line.npos
                      ? ClientFixture::status("a", "a")
                      : "{\"ok\":false,\"error\":\"overloaded\",\"message\":\"so\"}\n");
    fixture.pass(10'000);
  }
  CHECK(fixture.done.at(token).outcome == Outcome::overloaded);
  CHECK(fixture.done.at(token).message == "so");
}

TEST_CASE("the caller's own lines get the server's own answers") {
  ClientFixture fixture({a});
  const Token token = fixture.ask(raw(R"({"op":"set","key":"k","value":1})"));
  fixture.greet();
  CHECK(fixture.lines() == std::vector<std::string>{R"({"op":"set","key":"k","value":1})"});
  fixture.say("{\"ok\":false,\"error\":\"overloaded\",\"message\":\"so\"}\n");
  CHECK(fixture.done.at(token).outcome == Outcome::overloaded);
}

TEST_CASE("a server that is stopping is left") {
  ClientFixture fixture({a, b});
  const Token token = fixture.ask(set("k"));
  fixture.greet();
  fixture.lines();
  fixture.say("{\"ok\":false,\"error\":\"shutting_down\",\"message\":\"so\"}\n");
  REQUIRE(fixture.server() == b);
  fixture.greet("b", "b");
  fixture.pass(second);
  CHECK(fixture.lines().size() == 1);
  fixture.say("{\"ok\":true,\"rev\":9}\n");
  CHECK(fixture.done.at(token).rev == 9);
}

TEST_CASE("no answer: a read failed, a write is unknown, and the server is left") {
  ClientFixture fixture({a, b});
  const Token read = fixture.ask(get("k"), second);
  const Token write = fixture.ask(set("k"), second);
  const Token later = fixture.ask(get("l"), 10 * second);
  fixture.greet();
  CHECK(fixture.lines().size() == 3);
  const std::uint64_t before = fixture.number();
  fixture.pass(second - 1);
  CHECK(fixture.done.empty());
  fixture.pass(1);
  CHECK(fixture.done.at(read).outcome == Outcome::unavailable);
  CHECK(fixture.done.at(write).outcome == Outcome::outcome_unknown);
  CHECK(fixture.done.count(later) == 0);
  CHECK(fixture.number() != before);
}

TEST_CASE("a server is told a little less time than there is") {
  for (const auto& [timeout_us, want] :
       std::map<std::uint64_t, int>{{1'000, 1}, {10'000, 9}, {second, 900}, {60 * second, 59750}}) {
    ClientFixture fixture({a});
    fixture.ask(get("k"), timeout_us);
    fixture.greet();
    CHECK(fixture.lines() == std::vector{written(get("k"), static_cast<std::uint32_t>(want))});
  }
}

TEST_CASE("hostile servers") {
  ClientFixture fixture({a, b});
  const auto leaves = [&fixture](const std::string& text) {
    const std::uint64_t before = fixture.number();
    fixture.say(text);
    return fixture.number() != before;
  };
  SUBCASE("another protocol") {
    const Token token = fixture.ask(get("k"), second);
    for (int i = 0; i < 1'000 && fixture.done.empty(); ++i) {
      if (fixture.client.connection() && !fixture.client.is_open()) {
        fixture.connected();
        CHECK(leaves("HTTP/1.1 400 Bad Request\r\n\r\n"));
      } else {
        fixture.pass(10'000);
      }
    }
    CHECK(fixture.done.at(token).outcome == Outcome::no_server);
    CHECK(fixture.done.at(token).message.find("HTTP/1.1 400") != std::string::npos);
  }
  SUBCASE("JSON, but not ours") {
    fixture.ask(get("k"), second);
    fixture.connected();
    CHECK(leaves("{\"ok\":true}\n"));
  }
  SUBCASE("an answer without an end") {
    fixture.ask(get("k"), second);
    fixture.greet();
    fixture.lines();
    bool left = false;
    for (int i = 0; i < 40 && !left; ++i) left = leaves(std::string(1 << 20, 'x'));
    CHECK(left);
  }
  SUBCASE("garbage instead of a write's answer: unknown") {
    const Token token = fixture.ask(set("k"));
    fixture.greet();
    fixture.lines();
    CHECK(leaves("{\"ok\":tru}\n"));
    CHECK(fixture.done.at(token).outcome == Outcome::outcome_unknown);
  }
  SUBCASE("an answer that nobody asked for") {
    fixture.ask(get("k"));
    fixture.greet();
    fixture.lines();
    fixture.say("{\"ok\":true,\"found\":false}\n");
    CHECK(leaves("{\"ok\":true,\"found\":false}\n"));
  }
}

TEST_CASE("a member that was only named must be of the same cluster") {
  ClientFixture fixture({a});
  fixture.ask(set("k"));
  fixture.greet("a", "b");
  REQUIRE(fixture.server() == b);
  fixture.connected();
  fixture.lines();
  fixture.say(ClientFixture::status("b", "b", "78"));
  CHECK((!fixture.client.connection() || fixture.server() != b));
  CHECK(fixture.done.empty());
}

TEST_CASE("after a while it asks who leads, and moves once all is answered") {
  ClientFixture fixture;
  fixture.ask(set("1"));
  fixture.greet();
  fixture.lines();
  fixture.say("{\"ok\":true,\"rev\":1}\n");
  fixture.pass(6 * second);
  const Token write = fixture.ask(set("2"));
  const auto lines = fixture.lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("status") != std::string::npos);
  fixture.say(ClientFixture::status("a", "b"));
  CHECK(fixture.server() == a);
  fixture.ask(set("3"));
  CHECK(fixture.client.outgoing().empty());
  fixture.say("{\"ok\":true,\"rev\":2}\n");
  CHECK(fixture.done.at(write).rev == 2);
  REQUIRE(fixture.server() == b);
  fixture.greet("b", "b");
  CHECK(fixture.lines().size() == 1);
}

TEST_CASE("closing: what was never sent is canceled, what may have happened is unknown") {
  ClientFixture fixture({a});
  const Token write = fixture.ask(set("w"));
  const Token read = fixture.ask(get("r"));
  fixture.greet();
  CHECK(fixture.lines().size() == 2);
  const Token unsent = fixture.ask(set("u"));
  fixture.client.close();
  fixture.collect();
  CHECK(fixture.done.at(write).outcome == Outcome::outcome_unknown);
  CHECK(fixture.done.at(read).outcome == Outcome::canceled);
  CHECK(fixture.done.at(unsent).outcome == Outcome::canceled);
  CHECK(!fixture.client.connection());
}

TEST_CASE("what breaks a rule is refused at once") {
  Client client({{a}, 0, 1});
  Request request = set("k");
  request.value = "nope";
  const auto refused = client.ask(request, second, 1);
  REQUIRE(!refused);
  CHECK(refused.error().code == Code::invalid);
  request.value = "\"" + std::string(30 << 20, 'x') + "\"";
  CHECK(client.ask(request, second, 1));
  CHECK(client.ask(request, second, 1));
  const auto full = client.ask(request, second, 1);
  REQUIRE(!full);
  CHECK(full.error().code == Code::too_big);
}
