// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/client.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace zatt;
using namespace zatt::client;

namespace {

const Address a{"127.0.0.1", 1};
const Address b{"127.0.0.1", 2};
const Address c{"127.0.0.1", 3};
constexpr std::uint64_t second = 1'000'000;

Request get(std::string key) {
  Request request;
  request.op = Op::get;
  request.key = std::move(key);
  return request;
}
Request set(std::string key) {
  Request request;
  request.op = Op::set;
  request.key = std::move(key);
  request.value = "1";
  return request;
}
Request raw(std::string line) {
  Request request;
  request.op = Op::line;
  request.value = std::move(line);
  return request;
}

// A client, and both sides of its connection by hand.
struct Stage {
  explicit Stage(std::vector<Address> servers = {a, b, c}, std::uint64_t connect_timeout_us = 0,
                 bool stay = false)
      : client({std::move(servers), connect_timeout_us, 1, stay}) {}

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

// --- anything may happen
// ---------------------------------------------------------------------------

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
    const std::uint64_t dice = prng.below(20);
    if (key.empty()) {
      const char* const names[] = {"a", "b", "c"};
      const char* const node = names[client.connection()->server.port - 1];
      say(Stage::status(node, dice < 3 ? nullptr : dice < 6 ? names[prng.below(3)] : node));
    } else if (dice < 2) {
      ++asked.at(std::stoull(key)).refused;
      say(dice == 0 ? "{\"ok\":false,\"error\":\"overloaded\",\"message\":\"\"}\n"
                    : "{\"ok\":false,\"error\":\"shutting_down\",\"message\":\"\"}\n");
    } else if (dice == 2) {
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
    const std::uint64_t dice = prng.below(12);
    if (dice < 2) {
      if (asked.size() < 400) ask();
    } else if (client.connection() && !open) {
      if (prng.chance(2, 3)) {
        open = true;
        client.on_connected(number, now_us);
      } else {
        client.on_closed(number, "refused", now_us);
      }
    } else if (dice < 7 && open) {
      take_lines();
    } else if (dice < 10 && open && !owed.empty()) {
      answer();
    } else if (dice == 10 && open && prng.chance(1, 10)) {
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
