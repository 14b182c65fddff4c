// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "kv/reply.h"
#include "tests/node/words.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Forward;
using codec::ForwardReply;
using codec::ReadIndex;
using codec::ReadIndexReply;
using test::is_error;
using test::Lines;
using test::set_command;
using test::Stage;

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
std::string after_its_time(Stage& stage, const std::string& line) {
  const ClientId c = stage.client();
  stage.line(c, with_timeout(line, 50));
  stage.settle();
  CHECK(stage.replies(c).empty());
  stage.pass_ms(49);
  CHECK(stage.replies(c).empty());
  stage.pass_ms(2);
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 1);
  return said[0];
}

}  // namespace

// --- deadlines, and what they say ----------------------------------------------------------------

TEST_CASE("requests: the cluster is not created yet, and the message says for whom it waits") {
  Stage stage("0");
  REQUIRE(stage.open());
  stage.peer("2").connect();
  for (const std::string& line : {get_k, set_k}) {
    const std::string said = after_its_time(stage, line);
    CHECK(is_error(said, "no_leader"));
    CHECK(message_of(said) ==
          "the cluster is not created yet: waiting for node 1 at 127.0.0.1:5255 (never seen)");
  }
  stage.pass_ms(3000);
  stage.peer("2").disconnect();
  stage.pass_ms(4000);
  stage.node->on_dial_failed("2", "no route to host");
  CHECK(message_of(after_its_time(stage, get_k)) ==
        "the cluster is not created yet: waiting for node 1 at 127.0.0.1:5255 (never seen), node 2 "
        "at 127.0.0.1:5256 (last seen 4 s ago: no route to host)");
}

TEST_CASE("requests: whom it waits for is logged after a second, and then every hour") {
  Stage stage("0");
  REQUIRE(stage.open());
  const std::string words = "the cluster is not created yet: waiting for node 1 at 127.0.0.1:5255";
  CHECK(stage.env.count_logged(words) == 0);
  stage.pass_ms(1100);
  CHECK(stage.env.count_logged(words) == 1);
  stage.pass_ms(3'599'000);
  CHECK(stage.env.count_logged(words) == 1);
  stage.pass_ms(1'000);
  CHECK(stage.env.count_logged(words) == 2);
}

TEST_CASE("requests: a cluster that was to be, and has to be offered anew, is logged again") {
  Stage stage("0");
  stage.found();
  stage.peer("2").disconnect();
  stage.pass_ms(2000);
  stage.peer("2").server.incarnation = 555;
  stage.peer("2").standing = {};
  stage.peer("2").connect();  // of another directory: a later offer, which nobody stores here
  stage.peer("1").disconnect();
  stage.pass_ms(31'000);
  CHECK(stage.env.count_logged("the cluster is not created yet: waiting for node 1") >= 1);
}

TEST_CASE("requests: all are there, and agreeing") {
  Stage stage("0");
  REQUIRE(stage.open());
  stage.peer("1").connect();
  stage.peer("2").connect();
  CHECK(message_of(after_its_time(stage, set_k)) ==
        "the cluster is not created yet: its members are agreeing on it");
}

TEST_CASE("requests: the default time is five seconds") {
  Stage stage("0");
  REQUIRE(stage.open());
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  stage.pass_ms(4990);
  CHECK(stage.replies(c).empty());
  stage.pass_ms(20);
  CHECK(is_error(stage.replies(c).at(0), "no_leader"));
}

TEST_CASE("requests: no majority is connected, and who is missing") {
  Stage stage("0");
  stage.lead();
  stage.peer("1").disconnect();
  stage.peer("2").disconnect();
  stage.pass_ms(2000);
  REQUIRE_FALSE(stage.node->raft().is_leader());
  const std::string said = after_its_time(stage, set_k);
  CHECK(is_error(said, "no_leader"));
  CHECK(message_of(said) ==
        "no majority is connected: node 1 at 127.0.0.1:5255 (last seen 2 s ago), node 2 at "
        "127.0.0.1:5256 (last seen 2 s ago)");
}

TEST_CASE("requests: a majority is connected and has not elected anybody") {
  Stage stage("1");
  stage.found();
  CHECK(message_of(after_its_time(stage, set_k)) == "the members are electing a leader");
}

TEST_CASE("requests: many deadlines, each kept, in whatever order they were asked for") {
  Stage stage("0");
  stage.lead();
  stage.peer("1").disconnect();
  stage.peer("2").disconnect();
  stage.pass_ms(2000);
  REQUIRE_FALSE(stage.node->raft().is_leader());
  std::map<int, ClientId> by_timeout;
  for (const int ms : {5000, 100, 2000, 300, 1500, 200})
    stage.line(by_timeout[ms] = stage.client(), with_timeout(set_k, ms));
  stage.settle();
  int passed = 0;
  for (const auto& [ms, client] : by_timeout) {
    CAPTURE(ms);
    stage.pass_ms(static_cast<std::uint64_t>(ms - passed - 10));
    CHECK(stage.replies(client).empty());
    stage.pass_ms(20);
    const Lines said = stage.replies(client);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "no_leader"));
    passed = ms + 10;
  }
}

TEST_CASE("requests: a write that was handed over and is not answered is unknown") {
  Stage stage("1");
  stage.follow("0");
  CHECK(message_of(after_its_time(stage, set_k)) ==
        "the write was handed to the cluster and not confirmed in time: it may take effect now, "
        "later or never; a read on this connection settles it");
}

TEST_CASE("requests: a write that only waited behind a read was never handed over") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.line(c, with_timeout(set_k, 50));
  stage.settle();
  const auto read = stage.peer("0").take<ReadIndex>();
  REQUIRE(read.has_value());
  stage.pass_ms(60);
  CHECK_FALSE(stage.peer("0").take<Forward>().has_value());
  stage.peer("0").say(ReadIndexReply{read->number, true, Term{1}, Index{2}, Index{2}});
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[1], "no_leader", "could not be reached in time; nothing was written"));
  CHECK_FALSE(stage.peer("0").take<Forward>().has_value());
}

TEST_CASE("requests: one that failed does not stop the next") {
  Stage stage("0", 1);
  stage.lead_alone();
  const ClientId c = stage.client();
  stage.line(c, "{");
  stage.line(c, R"({"op":"gte"})");
  stage.line(c, R"({"op":"set","key":"k","value":1,"if":{"rev":7}})");
  stage.line(c, "", true);
  stage.line(c, R"({"op":"get","key":"k","id":"last"})");
  stage.settle();
  const Lines said = stage.replies(c);
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
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, set_k);
  stage.line(c, R"({"op":"ping","id":2})");
  stage.line(c, "{");
  stage.settle();
  CHECK(stage.replies(c).empty());
  const auto forward = stage.peer("0").take<Forward>();
  stage.peer("0").say(ForwardReply{forward->number, ForwardReply::What::result, done()});
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 3);
  CHECK(said[0] == R"({"ok":true,"rev":3})");
  CHECK(said[1] == R"({"ok":true,"id":2})");
  CHECK(is_error(said[2], "bad_request"));
}

TEST_CASE("requests: a half-closed client gets every answer, then the end") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, ping);
  stage.line(c, set_k);
  stage.line(c, get_k);
  stage.node->on_client_end(c);
  stage.settle();
  CHECK(stage.replies(c).size() == 1);
  CHECK_FALSE(stage.env.clients[c].closed);
  const auto forward = stage.peer("0").take<Forward>();
  const auto read = stage.peer("0").take<ReadIndex>();
  REQUIRE(forward.has_value());
  REQUIRE(read.has_value());
  stage.peer("0").say(ReadIndexReply{read->number, true, Term{1}, Index{2}, Index{2}});
  CHECK_FALSE(stage.env.clients[c].closed);
  stage.peer("0").say(ForwardReply{forward->number, ForwardReply::What::result, done()});
  CHECK(stage.replies(c).size() == 2);
  CHECK(stage.env.clients[c].closed);
  const ClientId silent = stage.client();
  stage.node->on_client_end(silent);
  stage.settle();
  CHECK(stage.env.clients[silent].closed);
}

TEST_CASE("requests: a client that is gone leaves nothing behind") {
  Stage stage("1");
  stage.follow("0");
  for (int i = 0; i < 3; ++i) {
    const ClientId c = stage.client();
    stage.line(c, set_k);
    stage.line(c, get_k);
    if (i > 0) stage.settle();
    stage.node->on_client_closed(c);
    stage.node->on_line(c, "", false);
    stage.node->on_client_end(c);
    stage.node->on_client_room(c);
    stage.settle();
    CHECK(stage.env.clients[c].replies.empty());
  }
  stage.pass_ms(6000);
  stage.node->shut_down();
  stage.settle();
  CHECK(stage.node->is_idle());
}

// --- bounds --------------------------------------------------------------------------------------

TEST_CASE("requests: after 1024 unanswered lines no more are wanted, until half are answered") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  for (int i = 0; i < 1023; ++i) stage.line(c, set_k);
  CHECK(stage.env.clients[c].wanted);
  stage.line(c, set_k);
  CHECK_FALSE(stage.env.clients[c].wanted);
  stage.settle();
  const auto forwards = stage.peer("0").take_all<Forward>();
  REQUIRE(forwards.size() == 1024);
  for (std::size_t i = 0; i < 511; ++i)
    stage.peer("0").say(ForwardReply{forwards[i].number, ForwardReply::What::overloaded, {}});
  CHECK_FALSE(stage.env.clients[c].wanted);
  stage.peer("0").say(ForwardReply{forwards[511].number, ForwardReply::What::overloaded, {}});
  CHECK(stage.env.clients[c].wanted);
}

TEST_CASE("requests: after 4 MiB of unanswered lines no more are wanted") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  const std::string large =
      R"({"op":"set","key":"k","value":")" + std::string(1 << 20, 'x') + R"("})";
  for (int i = 0; i < 3; ++i) stage.line(c, large);
  CHECK(stage.env.clients[c].wanted);
  stage.line(c, large);
  CHECK_FALSE(stage.env.clients[c].wanted);
  stage.settle();
  stage.peer("0").disconnect();  // all are unknown now
  CHECK(stage.env.clients[c].wanted);
}

TEST_CASE("requests: past 64 MiB of all clients' requests the node sheds load") {
  Stage stage("0");
  REQUIRE(stage.open());
  const std::string large =
      R"({"op":"set","key":"k","value":")" + std::string(1 << 20, 'x') + R"("})";
  std::vector<ClientId> clients;
  for (int i = 0; i < 70; ++i) {
    clients.push_back(stage.client());
    stage.line(clients.back(), large);
  }
  stage.settle();
  std::size_t refused = 0;
  for (const ClientId c : clients)
    for (const std::string& line : stage.replies(c))
      refused += is_error(line, "overloaded", "too many requests wait already");
  CHECK(refused >= 5);
  CHECK(refused <= 7);
  CHECK(is_error(stage.ask(get_k), "overloaded"));
  CHECK(stage.ask(ping) == R"({"ok":true})");
  CHECK(stage.ask(R"({"op":"get","key":"k","stale":true})").find("\"ok\":true") !=
        std::string::npos);
  for (const ClientId c : clients) stage.node->on_client_closed(c);
  CHECK(stage.ask(get_k) == "");  // it waits, as there is room again
}

TEST_CASE("requests: a disk that falls behind makes the node shed writes, and forwards too") {
  Stage stage("0");
  stage.lead();
  stage.disk_held = true;
  stage.ask(set_k);  // on its way to the disk
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 70; ++i)
    stage.peer("1").say(Forward{static_cast<std::uint64_t>(i) + 1, Term{1}, true,
                                set_command("k", "\"" + megabyte + "\"")});
  std::size_t refused = 0;
  for (const ForwardReply& answer : stage.peer("1").take_all<ForwardReply>())
    refused += answer.what == ForwardReply::What::overloaded;
  CHECK(refused >= 5);
  CHECK(refused <= 7);
  CHECK(is_error(stage.ask(set_k), "overloaded"));
  CHECK(stage.ask(get_k) == "");  // reads go on
}

// --- stopping ------------------------------------------------------------------------------------

TEST_CASE("requests: a node that stops refuses what comes and finishes what is in flight") {
  Stage stage("0");
  stage.lead();
  const ClientId c = stage.client();
  stage.line(c, set_k);
  stage.settle();
  stage.node->shut_down();
  stage.line(c, set_k);
  stage.line(c, ping);
  stage.settle();
  CHECK_FALSE(stage.node->is_idle());
  CHECK(stage.replies(c).empty());
  CHECK(stage.node->raft().is_leader());
  stage.let_peers_follow();
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 3);
  CHECK(said[0] == R"({"ok":true,"rev":3})");
  CHECK(is_error(said[1], "shutting_down", "this node is stopping"));
  CHECK(said[2] == R"({"ok":true})");
  // Then, and not before, it hands its leadership on.
  CHECK_FALSE(stage.node->raft().is_leader());
  const bool heir = stage.peer("1").take<raft::TimeoutNow>().has_value() ||
                    stage.peer("2").take<raft::TimeoutNow>().has_value();
  CHECK(heir);
  CHECK(stage.node->is_idle());
}

TEST_CASE("requests: what waits for a leader when the node stops is refused, for certain") {
  Stage stage("1");
  stage.found();
  const ClientId c = stage.client();
  stage.line(c, set_k);
  stage.line(c, get_k);
  stage.settle();
  stage.node->shut_down();
  stage.settle();
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[0], "shutting_down"));
  CHECK(is_error(said[1], "shutting_down"));
  CHECK(stage.node->is_idle());
}

TEST_CASE("requests: what is not taken once the node stops is refused then, not at its deadline") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, set_k);
  stage.settle();
  const auto forward = stage.peer("0").take<Forward>();
  stage.node->shut_down();
  stage.settle();
  stage.peer("0").say(ForwardReply{forward->number, ForwardReply::What::not_taken, {}});
  CHECK(is_error(stage.replies(c).at(0), "shutting_down"));
  CHECK(stage.node->is_idle());
}

}  // namespace zatt::node
