// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "kv/reply.h"
#include "tests/node/protocol_text.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Forward;
using codec::ForwardReply;
using codec::ReadIndex;
using codec::ReadIndexReply;
using test::is_error;
using test::Lines;
using test::NodeFixture;
using test::set_command;

const std::string get_k = R"({"op":"get","key":"k"})";
const std::string set_k = R"({"op":"set","key":"k","value":1})";
const std::string ping = R"({"op":"ping"})";

std::string message_of(const std::string& line) {
  const std::size_t at = line.find("\"message\":\"");
  REQUIRE(at != std::string::npos);
  return line.substr(at + 11, line.size() - at - 13);
}

std::string with_timeout(std::string line, int ms) {
  line.pop_back();
  return line + ",\"timeout_ms\":" + std::to_string(ms) + "}";
}

std::string done() {
  std::string bytes;
  kv::encode(kv::Reply{kv::Outcome::done, false, 3, {}}, bytes);
  return bytes;
}

// What a request is answered when its 50 ms are over.
std::string after_its_time(NodeFixture& fixture, const std::string& line) {
  const ClientId c = fixture.client();
  fixture.line(c, with_timeout(line, 50));
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  fixture.pass_ms(49);
  CHECK(fixture.replies(c).empty());
  fixture.pass_ms(2);
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 1);
  return said[0];
}

}  // namespace

// --- deadlines, and what they say ----------------------------------------------------------------

TEST_CASE("requests: the cluster is not created yet, and the message says for whom it waits") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  fixture.peer("2").connect();
  for (const std::string& line : {get_k, set_k}) {
    const std::string said = after_its_time(fixture, line);
    CHECK(is_error(said, "no_leader"));
    CHECK(message_of(said) ==
          "the cluster is not created yet: waiting for node 1 at 127.0.0.1:5255 (never seen)");
  }
  fixture.pass_ms(3000);
  fixture.peer("2").disconnect();
  fixture.pass_ms(4000);
  fixture.node->on_dial_failed("2", "no route to host");
  CHECK(message_of(after_its_time(fixture, get_k)) ==
        "the cluster is not created yet: waiting for node 1 at 127.0.0.1:5255 (never seen), node 2 "
        "at 127.0.0.1:5256 (last seen 4 s ago: no route to host)");
}

TEST_CASE("requests: whom it waits for is logged after a second, and then every hour") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  const std::string words = "the cluster is not created yet: waiting for node 1 at 127.0.0.1:5255";
  CHECK(fixture.env.count_logged(words) == 0);
  fixture.pass_ms(1100);
  CHECK(fixture.env.count_logged(words) == 1);
  fixture.pass_ms(3'599'000);
  CHECK(fixture.env.count_logged(words) == 1);
  fixture.pass_ms(1'000);
  CHECK(fixture.env.count_logged(words) == 2);
}

TEST_CASE("requests: a cluster that was to be, and has to be offered anew, is logged again") {
  NodeFixture fixture("0");
  fixture.found();
  fixture.peer("2").disconnect();
  fixture.pass_ms(2000);
  fixture.peer("2").server.incarnation = 555;
  fixture.peer("2").bootstrap_state = {};
  fixture.peer("2").connect();  // of another directory: a later offer, which nobody stores here
  fixture.peer("1").disconnect();
  fixture.pass_ms(31'000);
  CHECK(fixture.env.count_logged("the cluster is not created yet: waiting for node 1") >= 1);
}

TEST_CASE("requests: all are there, and agreeing") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  fixture.peer("1").connect();
  fixture.peer("2").connect();
  CHECK(message_of(after_its_time(fixture, set_k)) ==
        "the cluster is not created yet: its members are agreeing on it");
}

TEST_CASE("requests: the default time is five seconds") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  fixture.pass_ms(4990);
  CHECK(fixture.replies(c).empty());
  fixture.pass_ms(20);
  CHECK(is_error(fixture.replies(c).at(0), "no_leader"));
}

TEST_CASE("requests: no majority is connected, and who is missing") {
  NodeFixture fixture("0");
  fixture.lead();
  fixture.peer("1").disconnect();
  fixture.peer("2").disconnect();
  fixture.pass_ms(2000);
  REQUIRE_FALSE(fixture.node->raft().is_leader());
  const std::string said = after_its_time(fixture, set_k);
  CHECK(is_error(said, "no_leader"));
  CHECK(message_of(said) ==
        "no majority is connected: node 1 at 127.0.0.1:5255 (last seen 2 s ago), node 2 at "
        "127.0.0.1:5256 (last seen 2 s ago)");
}

TEST_CASE("requests: a majority is connected and has not elected anybody") {
  NodeFixture fixture("1");
  fixture.found();
  CHECK(message_of(after_its_time(fixture, set_k)) == "the members are electing a leader");
}

TEST_CASE("requests: many deadlines, each kept, in whatever order they were asked for") {
  NodeFixture fixture("0");
  fixture.lead();
  fixture.peer("1").disconnect();
  fixture.peer("2").disconnect();
  fixture.pass_ms(2000);
  REQUIRE_FALSE(fixture.node->raft().is_leader());
  std::map<int, ClientId> by_timeout;
  for (const int ms : {5000, 100, 2000, 300, 1500, 200})
    fixture.line(by_timeout[ms] = fixture.client(), with_timeout(set_k, ms));
  fixture.settle();
  int passed = 0;
  for (const auto& [ms, client] : by_timeout) {
    CAPTURE(ms);
    fixture.pass_ms(static_cast<std::uint64_t>(ms - passed - 10));
    CHECK(fixture.replies(client).empty());
    fixture.pass_ms(20);
    const Lines said = fixture.replies(client);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "no_leader"));
    passed = ms + 10;
  }
}

TEST_CASE("requests: a write that was handed over and is not answered is unknown") {
  NodeFixture fixture("1");
  fixture.follow("0");
  CHECK(message_of(after_its_time(fixture, set_k)) ==
        "the write was handed to the cluster and not confirmed in time: it may take effect now, "
        "later or never; a read on this connection settles it");
}

TEST_CASE("requests: a write that only waited behind a read was never handed over") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.line(c, with_timeout(set_k, 50));
  fixture.settle();
  const auto read = fixture.peer("0").take<ReadIndex>();
  REQUIRE(read.has_value());
  fixture.pass_ms(60);
  CHECK_FALSE(fixture.peer("0").take<Forward>().has_value());
  fixture.peer("0").say(ReadIndexReply{read->number, true, Term{1}, Index{2}, Index{2}});
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[1], "no_leader", "could not be reached in time; nothing was written"));
  CHECK_FALSE(fixture.peer("0").take<Forward>().has_value());
}

TEST_CASE("requests: one that failed does not stop the next") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  const ClientId c = fixture.client();
  fixture.line(c, "{");
  fixture.line(c, R"({"op":"gte"})");
  fixture.line(c, R"({"op":"set","key":"k","value":1,"if":{"rev":7}})");
  fixture.line(c, "", true);
  fixture.line(c, R"({"op":"get","key":"k","id":"last"})");
  fixture.settle();
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 5);
  CHECK(is_error(said[0], "bad_request"));
  CHECK(is_error(said[1], "bad_request", "did you mean"));
  CHECK(is_error(said[2], "condition_failed"));
  CHECK(is_error(said[3], "too_large",
                 "a request may be up to 1114112 bytes long here; max_request_bytes in this "
                 "node's configuration raises that (to 16777216)"));
  CHECK(said[4] == R"({"ok":true,"id":"last","found":false})");
}

// --- order and ends ------------------------------------------------------------------------------

TEST_CASE("requests: replies leave in the order asked, whatever is ready first") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, set_k);
  fixture.line(c, R"({"op":"ping","id":2})");
  fixture.line(c, "{");
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  const auto forward = fixture.peer("0").take<Forward>();
  fixture.peer("0").say(ForwardReply{forward->number, ForwardReply::What::result, done()});
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 3);
  CHECK(said[0] == R"({"ok":true,"rev":3})");
  CHECK(said[1] == R"({"ok":true,"id":2})");
  CHECK(is_error(said[2], "bad_request"));
}

TEST_CASE("requests: a half-closed client gets every answer, then the end") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, ping);
  fixture.line(c, set_k);
  fixture.line(c, get_k);
  fixture.node->on_client_end(c);
  fixture.settle();
  CHECK(fixture.replies(c).size() == 1);
  CHECK_FALSE(fixture.env.clients[c].closed);
  const auto forward = fixture.peer("0").take<Forward>();
  const auto read = fixture.peer("0").take<ReadIndex>();
  REQUIRE(forward.has_value());
  REQUIRE(read.has_value());
  fixture.peer("0").say(ReadIndexReply{read->number, true, Term{1}, Index{2}, Index{2}});
  CHECK_FALSE(fixture.env.clients[c].closed);
  fixture.peer("0").say(ForwardReply{forward->number, ForwardReply::What::result, done()});
  CHECK(fixture.replies(c).size() == 2);
  CHECK(fixture.env.clients[c].closed);
  const ClientId silent = fixture.client();
  fixture.node->on_client_end(silent);
  fixture.settle();
  CHECK(fixture.env.clients[silent].closed);
}

TEST_CASE("requests: a client that is gone leaves nothing behind") {
  NodeFixture fixture("1");
  fixture.follow("0");
  for (int i = 0; i < 3; ++i) {
    const ClientId c = fixture.client();
    fixture.line(c, set_k);
    fixture.line(c, get_k);
    if (i > 0) fixture.settle();
    fixture.node->on_client_closed(c);
    fixture.node->on_request(c, {});
    fixture.node->on_client_end(c);
    fixture.node->on_client_room(c);
    fixture.settle();
    CHECK(fixture.env.clients[c].replies.empty());
  }
  fixture.pass_ms(6000);
  fixture.node->shut_down();
  fixture.settle();
  CHECK(fixture.node->is_idle());
}

// --- bounds --------------------------------------------------------------------------------------

TEST_CASE("requests: after 1024 unanswered lines no more are wanted, until half are answered") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  for (int i = 0; i < 1023; ++i) fixture.line(c, set_k);
  CHECK(fixture.env.clients[c].wanted);
  fixture.line(c, set_k);
  CHECK_FALSE(fixture.env.clients[c].wanted);
  fixture.settle();
  const auto forwards = fixture.peer("0").take_all<Forward>();
  REQUIRE(forwards.size() == 1024);
  for (std::size_t i = 0; i < 511; ++i)
    fixture.peer("0").say(ForwardReply{forwards[i].number, ForwardReply::What::overloaded, {}});
  CHECK_FALSE(fixture.env.clients[c].wanted);
  fixture.peer("0").say(ForwardReply{forwards[511].number, ForwardReply::What::overloaded, {}});
  CHECK(fixture.env.clients[c].wanted);
}

TEST_CASE("requests: after 4 MiB of unanswered lines no more are wanted") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  const std::string large =
      R"({"op":"set","key":"k","value":")" + std::string(1 << 20, 'x') + R"("})";
  for (int i = 0; i < 3; ++i) fixture.line(c, large);
  CHECK(fixture.env.clients[c].wanted);
  fixture.line(c, large);
  CHECK_FALSE(fixture.env.clients[c].wanted);
  fixture.settle();
  const std::uint64_t credit = 8 << 20;
  fixture.peer("0").say(ForwardReply{0, ForwardReply::What::proposed, {}, {}, 0, credit});
  fixture.settle();
  REQUIRE(fixture.peer("0").take_all<Forward>().size() == 4);
  fixture.peer("0").disconnect();  // all are unknown now
  CHECK(fixture.env.clients[c].wanted);
}

TEST_CASE("requests: a disk that falls behind makes the node shed writes, and forwards too") {
  NodeFixture fixture("0");
  fixture.lead();
  fixture.disk_held = true;
  fixture.ask(set_k);  // on its way to the disk
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 70; ++i)
    fixture.peer("1").say(Forward{static_cast<std::uint64_t>(i) + 1, Term{1}, true,
                                  set_command("k", "\"" + megabyte + "\"")});
  std::size_t refused = 0;
  for (const ForwardReply& answer : test::decided(fixture.peer("1")))
    refused += answer.what == ForwardReply::What::overloaded;
  CHECK(refused >= 54);  // 16 MiB are taken before anything is known of the disk
  CHECK(refused <= 56);
  // Those of its own clients wait for their turn, as long as it can come in time.
  CHECK(fixture.ask(set_k) == "");
  fixture.pass_ms(100);
  CHECK(is_error(fixture.ask(with_timeout(set_k, 50)), "overloaded",
                 "writes come faster than the cluster takes them"));
  CHECK(fixture.ask(get_k) == "");  // reads go on
}

// --- stopping ------------------------------------------------------------------------------------

TEST_CASE("requests: a node that stops refuses what comes and finishes what is in flight") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, set_k);
  fixture.settle();
  fixture.node->shut_down();
  fixture.line(c, set_k);
  fixture.line(c, ping);
  fixture.settle();
  CHECK_FALSE(fixture.node->is_idle());
  CHECK(fixture.replies(c).empty());
  CHECK(fixture.node->raft().is_leader());
  fixture.let_peers_follow();
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 3);
  CHECK(said[0] == R"({"ok":true,"rev":3})");
  CHECK(is_error(said[1], "shutting_down", "this node is stopping"));
  CHECK(said[2] == R"({"ok":true})");
  // Then, and not before, it hands its leadership on.
  CHECK_FALSE(fixture.node->raft().is_leader());
  const bool heir = fixture.peer("1").take<raft::TimeoutNow>().has_value() ||
                    fixture.peer("2").take<raft::TimeoutNow>().has_value();
  CHECK(heir);
  CHECK(fixture.node->is_idle());
}

TEST_CASE("requests: what waits for a leader when the node stops is refused, for certain") {
  NodeFixture fixture("1");
  fixture.found();
  const ClientId c = fixture.client();
  fixture.line(c, set_k);
  fixture.line(c, get_k);
  fixture.settle();
  fixture.node->shut_down();
  fixture.settle();
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[0], "shutting_down"));
  CHECK(is_error(said[1], "shutting_down"));
  CHECK(fixture.node->is_idle());
}

TEST_CASE("requests: what is not taken once the node stops is refused then, not at its deadline") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, set_k);
  fixture.settle();
  const auto forward = fixture.peer("0").take<Forward>();
  fixture.node->shut_down();
  fixture.settle();
  fixture.peer("0").say(ForwardReply{forward->number, ForwardReply::What::not_taken, {}});
  CHECK(is_error(fixture.replies(c).at(0), "shutting_down"));
  CHECK(fixture.node->is_idle());
}

TEST_CASE("requests: what a turn has no time to propose goes in the next, and reads after it") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  const Index before = fixture.node->raft().log().last_index();
  const ClientId writer = fixture.client();
  const ClientId reader = fixture.client();
  const std::string large = "\"" + std::string(700'000, 'x') + "\"";
  for (int i = 0; i < 3; ++i)
    fixture.line(writer, R"({"op":"set","key":"k","value":)" + large + "}");
  fixture.line(reader, R"({"op":"count"})");
  fixture.env.short_turns = true;
  fixture.disk_held = true;
  fixture.node->flush();
  CHECK(fixture.node->raft().log().last_index() == before + 2);  // 1 MiB, and what passes it
  CHECK(fixture.node->wake_at_us() == fixture.env.now);
  CHECK(fixture.replies(reader).empty());
  fixture.node->flush();
  CHECK(fixture.node->raft().log().last_index() == before + 3);
  CHECK(fixture.replies(reader).size() == 1);
}

}  // namespace zatt::node
