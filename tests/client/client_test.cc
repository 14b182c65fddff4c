// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/client.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/client/stage.h"

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
  Stage stage;
  CHECK(!stage.client.connection());
  CHECK(stage.client.wake_at_us() == UINT64_MAX);
}

TEST_CASE("a server is greeted, then asked") {
  Stage stage({a});
  const Token token = stage.ask(get("k"));
  CHECK(stage.server() == a);
  CHECK(stage.client.outgoing().empty());
  stage.greet();
  CHECK(stage.lines() == std::vector{written(get("k"), 4750)});
  stage.say("{\"ok\":true,\"found\":true,\"value\":1,\"rev\":2}\n");
  CHECK(stage.done.at(token).value == "1");
  CHECK(stage.client.pending() == 0);
}

TEST_CASE("it goes on to the leader before it asks anything") {
  Stage stage({a});
  const Token token = stage.ask(set("k"));
  stage.greet("a", "c");
  REQUIRE(stage.server() == c);
  stage.greet("c", "c");
  CHECK(stage.lines() == std::vector{written(set("k"), 4750)});
  stage.say("{\"ok\":true,\"rev\":2}\n");
  CHECK(stage.done.at(token).rev == 2);
}

TEST_CASE("a leader that cannot be reached is asked through another") {
  Stage stage({a});
  const Token token = stage.ask(set("k"));
  stage.greet("a", "c");
  REQUIRE(stage.server() == c);
  stage.closed("Connection refused");
  stage.reconnect();
  const Address other = stage.server();
  CHECK(other != c);
  stage.greet(other == a ? "a" : "b", "c");
  REQUIRE(stage.server() == other);
  CHECK(stage.lines().size() == 1);
  stage.say("{\"ok\":true,\"rev\":2}\n");
  CHECK(stage.done.at(token).outcome == Outcome::ok);
}

TEST_CASE("two servers that each call the other the leader do not send it round for ever") {
  Stage stage({a, b});
  stage.ask(set("k"));
  for (int i = 0; i < 10 && stage.client.outgoing().empty(); ++i) {
    const bool is_a = stage.server() == a;
    stage.greet(is_a ? "a" : "b", is_a ? "b" : "a");
  }
  CHECK(stage.lines().size() == 1);
}

TEST_CASE("who is to stay asks the servers given, whoever leads, and no member that they name") {
  Stage stage({a, b}, 0, true);
  const Token token = stage.ask(raw("{\"op\":\"status\"}"));
  stage.greet("a", "c");
  REQUIRE(stage.server() == a);
  CHECK(stage.lines().size() == 1);
  stage.say(Stage::status("a", "c"));
  CHECK(stage.done.count(token) == 1);
  stage.ask(get("k"), second);
  stage.lines();
  for (int i = 0; i < 6; ++i) {
    stage.closed("gone");
    stage.reconnect();
    CHECK(stage.server() != c);
  }
}

TEST_CASE("without a leader nothing is sent that needs one") {
  Stage stage;
  Request stale = get("s");
  stale.stale = true;
  const Token write = stage.ask(set("k"), second);
  SUBCASE("another server knows one") {
    stage.greet("a", nullptr);
    CHECK(stage.client.outgoing().empty());
    stage.pass_until_new(second);
    REQUIRE(stage.server() == b);
    stage.greet("b", "b");
    CHECK(stage.lines().size() == 1);
  }
  SUBCASE("none does: nothing happened, and it says so") {
    for (int i = 0; i < 1'000 && stage.done.empty(); ++i) {
      if (stage.client.connection() && !stage.client.is_open()) {
        const Address at = stage.server();
        stage.greet(at == a ? "a" : at == b ? "b" : "c", nullptr);
      } else {
        for (const std::string& line : stage.lines()) {
          REQUIRE(line.find("status") != std::string::npos);
          stage.say(Stage::status("a", nullptr));
        }
        stage.pass(10'000);
      }
    }
    CHECK(stage.done.at(write).outcome == Outcome::no_leader);
  }
}

TEST_CASE("what needs no leader is asked without one") {
  Stage stage({a});
  Request stale = get("s");
  stale.stale = true;
  stage.ask(stale);
  stage.ask(raw("{\"op\":\"anything\"}"));
  stage.greet("a", nullptr);
  CHECK(stage.lines().size() == 2);
}

TEST_CASE("no server: each is tried, and it is said at the deadline why there was none") {
  Stage stage;
  const Token token = stage.ask(set("k"), 2 * second);
  stage.refuse_all(3 * second);
  CHECK(stage.done.at(token).outcome == Outcome::no_server);
  CHECK(stage.done.at(token).message.find("Connection refused") != std::string::npos);
  CHECK(stage.now_us >= 1'002 * second);
  CHECK(stage.now_us < 1'002 * second + second / 100);
}

TEST_CASE("no server: who does not want to wait for one does not") {
  Stage stage({a, b}, second / 2);
  const Token token = stage.ask(set("k"), 60 * second);
  stage.refuse_all(2 * second);
  CHECK(stage.done.at(token).outcome == Outcome::no_server);
  CHECK(stage.now_us < 1'001 * second);
  // And the next one has its time again.
  const std::uint64_t asked_us = stage.now_us += 100 * second;
  const Token next = stage.ask(set("k"), 60 * second);
  stage.refuse_all(2 * second);
  CHECK(stage.done.at(next).outcome == Outcome::no_server);
  CHECK(stage.now_us >= asked_us + second / 2);
}

TEST_CASE("a server that takes the connection and says nothing is left after a second") {
  Stage stage({a, b});
  stage.ask(get("k"));
  stage.connected();
  stage.lines();
  stage.pass_until_new(2 * second);
  CHECK(stage.now_us <= 1'001 * second + second / 10);
  stage.reconnect();
  CHECK(stage.server() == b);
}

TEST_CASE("a connection ends: reads are asked again, writes are unknown") {
  Stage stage({a, b});
  const Token write = stage.ask(set("w"));
  const Token read = stage.ask(get("r"));
  stage.greet();
  CHECK(stage.lines().size() == 2);
  stage.closed("Connection reset by peer");
  CHECK(stage.done.at(write).outcome == Outcome::outcome_unknown);
  CHECK(stage.done.at(write).message.find("Connection reset by peer") != std::string::npos);
  CHECK(stage.done.count(read) == 0);
  stage.reconnect();
  REQUIRE(stage.server() == b);
  stage.greet("b", "b");
  const auto again = stage.lines();
  REQUIRE(again.size() == 1);
  CHECK(again[0].find("\"r\"") != std::string::npos);
}

TEST_CASE("a connection ends: a read that a later write could have overtaken is not asked again") {
  Stage stage({a, b});
  const Token read = stage.ask(get("k"));
  const Token write = stage.ask(set("k"));
  stage.greet();
  CHECK(stage.lines().size() == 2);
  stage.closed();
  CHECK(stage.done.at(read).outcome == Outcome::unavailable);
  CHECK(stage.done.at(write).outcome == Outcome::outcome_unknown);
}

TEST_CASE("a connection ends: what it takes with it is told in the order asked") {
  Stage stage({a, b});
  std::vector<Token> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(stage.ask(set("k")));
  stage.greet();
  CHECK(stage.lines().size() == 5);
  stage.client.on_closed(stage.number(), "gone", stage.now_us);
  std::vector<Token> told;
  while (const auto done = stage.client.next_done()) told.push_back(done->token);
  CHECK(told == asked);
}

TEST_CASE("a connection ends: what never left is asked elsewhere") {
  Stage stage({a, b});
  const Token first = stage.ask(set("1"));
  const Token second_one = stage.ask(set("2"));
  stage.greet();
  const std::size_t line = stage.client.outgoing().find('\n') + 1;
  stage.client.on_sent(line, stage.now_us);
  stage.closed();
  CHECK(stage.done.at(first).outcome == Outcome::outcome_unknown);
  CHECK(stage.done.count(second_one) == 0);
  stage.reconnect();
  stage.greet("b", "b");
  CHECK(stage.lines().size() == 1);
}

TEST_CASE("one byte of it may have been enough") {
  Stage stage({a, b});
  const Token token = stage.ask(set("1"));
  stage.greet();
  stage.client.on_sent(1, stage.now_us);
  stage.closed();
  CHECK(stage.done.at(token).outcome == Outcome::outcome_unknown);
}

TEST_CASE("what certainly did not happen is asked again, while nothing stands behind it") {
  for (const char* error : {"overloaded", "no_leader"}) {
    CAPTURE(error);
    const std::string refusal =
        "{\"ok\":false,\"error\":\"" + std::string(error) + "\",\"message\":\"so\"}\n";
    Stage stage({a});
    const Token token = stage.ask(set("k"));
    stage.greet();
    stage.lines();
    stage.say(refusal);
    CHECK(stage.done.empty());
    stage.pass(second);
    std::size_t writes = 0;
    for (const std::string& line : stage.lines()) writes += line.find("set") != line.npos ? 1U : 0U;
    CHECK(writes == 1);
    // With another behind it the two would change places.
    const Token later = stage.ask(set("k"));
    stage.lines();
    if (std::string(error) == "no_leader") stage.say(Stage::status("a", "a"));
    stage.say(refusal);
    CHECK(to_string(stage.done.at(token).outcome) == error);
    CHECK(stage.done.count(later) == 0);
  }
}

TEST_CASE("asked again and again, until its time is up: then the last refusal is the answer") {
  Stage stage({a});
  const Token token = stage.ask(set("k"), second);
  stage.greet();
  for (int i = 0; i < 200 && stage.done.empty(); ++i) {
    for (const std::string& line : stage.lines())
      stage.say(line.find("status") != line.npos
                    ? Stage::status("a", "a")
                    : "{\"ok\":false,\"error\":\"overloaded\",\"message\":\"so\"}\n");
    stage.pass(10'000);
  }
  CHECK(stage.done.at(token).outcome == Outcome::overloaded);
  CHECK(stage.done.at(token).message == "so");
}

TEST_CASE("the caller's own lines get the server's own answers") {
  Stage stage({a});
  const Token token = stage.ask(raw(R"({"op":"set","key":"k","value":1})"));
  stage.greet();
  CHECK(stage.lines() == std::vector<std::string>{R"({"op":"set","key":"k","value":1})"});
  stage.say("{\"ok\":false,\"error\":\"overloaded\",\"message\":\"so\"}\n");
  CHECK(stage.done.at(token).outcome == Outcome::overloaded);
}

TEST_CASE("a server that is stopping is left") {
  Stage stage({a, b});
  const Token token = stage.ask(set("k"));
  stage.greet();
  stage.lines();
  stage.say("{\"ok\":false,\"error\":\"shutting_down\",\"message\":\"so\"}\n");
  REQUIRE(stage.server() == b);
  stage.greet("b", "b");
  stage.pass(second);
  CHECK(stage.lines().size() == 1);
  stage.say("{\"ok\":true,\"rev\":9}\n");
  CHECK(stage.done.at(token).rev == 9);
}

TEST_CASE("no answer: a read failed, a write is unknown, and the server is left") {
  Stage stage({a, b});
  const Token read = stage.ask(get("k"), second);
  const Token write = stage.ask(set("k"), second);
  const Token later = stage.ask(get("l"), 10 * second);
  stage.greet();
  CHECK(stage.lines().size() == 3);
  const std::uint64_t before = stage.number();
  stage.pass(second - 1);
  CHECK(stage.done.empty());
  stage.pass(1);
  CHECK(stage.done.at(read).outcome == Outcome::unavailable);
  CHECK(stage.done.at(write).outcome == Outcome::outcome_unknown);
  CHECK(stage.done.count(later) == 0);
  CHECK(stage.number() != before);
}

TEST_CASE("a server is told a little less time than there is") {
  for (const auto& [timeout_us, want] :
       std::map<std::uint64_t, int>{{1'000, 1}, {10'000, 9}, {second, 900}, {60 * second, 59750}}) {
    Stage stage({a});
    stage.ask(get("k"), timeout_us);
    stage.greet();
    CHECK(stage.lines() == std::vector{written(get("k"), static_cast<std::uint32_t>(want))});
  }
}

TEST_CASE("hostile servers") {
  Stage stage({a, b});
  const auto leaves = [&stage](const std::string& text) {
    const std::uint64_t before = stage.number();
    stage.say(text);
    return stage.number() != before;
  };
  SUBCASE("another protocol") {
    const Token token = stage.ask(get("k"), second);
    for (int i = 0; i < 1'000 && stage.done.empty(); ++i) {
      if (stage.client.connection() && !stage.client.is_open()) {
        stage.connected();
        CHECK(leaves("HTTP/1.1 400 Bad Request\r\n\r\n"));
      } else {
        stage.pass(10'000);
      }
    }
    CHECK(stage.done.at(token).outcome == Outcome::no_server);
    CHECK(stage.done.at(token).message.find("HTTP/1.1 400") != std::string::npos);
  }
  SUBCASE("JSON, but not ours") {
    stage.ask(get("k"), second);
    stage.connected();
    CHECK(leaves("{\"ok\":true}\n"));
  }
  SUBCASE("an answer without an end") {
    stage.ask(get("k"), second);
    stage.greet();
    stage.lines();
    bool left = false;
    for (int i = 0; i < 40 && !left; ++i) left = leaves(std::string(1 << 20, 'x'));
    CHECK(left);
  }
  SUBCASE("garbage instead of a write's answer: unknown") {
    const Token token = stage.ask(set("k"));
    stage.greet();
    stage.lines();
    CHECK(leaves("{\"ok\":tru}\n"));
    CHECK(stage.done.at(token).outcome == Outcome::outcome_unknown);
  }
  SUBCASE("an answer that nobody asked for") {
    stage.ask(get("k"));
    stage.greet();
    stage.lines();
    stage.say("{\"ok\":true,\"found\":false}\n");
    CHECK(leaves("{\"ok\":true,\"found\":false}\n"));
  }
}

TEST_CASE("a member that was only named must be of the same cluster") {
  Stage stage({a});
  stage.ask(set("k"));
  stage.greet("a", "b");
  REQUIRE(stage.server() == b);
  stage.connected();
  stage.lines();
  stage.say(Stage::status("b", "b", "78"));
  CHECK((!stage.client.connection() || stage.server() != b));
  CHECK(stage.done.empty());
}

TEST_CASE("after a while it asks who leads, and moves once all is answered") {
  Stage stage;
  stage.ask(set("1"));
  stage.greet();
  stage.lines();
  stage.say("{\"ok\":true,\"rev\":1}\n");
  stage.pass(6 * second);
  const Token write = stage.ask(set("2"));
  const auto lines = stage.lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("status") != std::string::npos);
  stage.say(Stage::status("a", "b"));
  CHECK(stage.server() == a);
  stage.ask(set("3"));
  CHECK(stage.client.outgoing().empty());
  stage.say("{\"ok\":true,\"rev\":2}\n");
  CHECK(stage.done.at(write).rev == 2);
  REQUIRE(stage.server() == b);
  stage.greet("b", "b");
  CHECK(stage.lines().size() == 1);
}

TEST_CASE("closing: what was never sent is canceled, what may have happened is unknown") {
  Stage stage({a});
  const Token write = stage.ask(set("w"));
  const Token read = stage.ask(get("r"));
  stage.greet();
  CHECK(stage.lines().size() == 2);
  const Token unsent = stage.ask(set("u"));
  stage.client.close();
  stage.collect();
  CHECK(stage.done.at(write).outcome == Outcome::outcome_unknown);
  CHECK(stage.done.at(read).outcome == Outcome::canceled);
  CHECK(stage.done.at(unsent).outcome == Outcome::canceled);
  CHECK(!stage.client.connection());
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
