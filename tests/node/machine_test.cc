// SPDX-License-Identifier: AGPL-3.0-or-later
// What this process asks of a machine of its own: proposals and barriers, by the rules of writes
// and reads. The machine under test is the dictionary, which the node is not told of.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kv/reply.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::ErrorCode;
using codec::Forward;
using codec::ForwardReply;
using codec::ReadIndex;
using codec::ReadIndexReply;
using test::set_command;
using test::Stage;
using Answers = std::vector<Answer>;

constexpr std::uint32_t timeout_ms = 5000;

// A cluster with a machine of its own.
struct Hosted : Stage {
  explicit Hosted(std::string id = "0", std::size_t members = 3) : Stage(std::move(id), members) {
    with_store = false;
  }
  void propose(ClientId id, std::string command) {
    node->on_propose(id, std::move(command), timeout_ms);
  }
  Answers answers(ClientId id) { return std::exchange(env.clients[id].answers, {}); }
};

std::string set_done(std::uint64_t rev) {
  std::string bytes;
  kv::encode(kv::Reply{kv::Outcome::done, false, rev, {}}, bytes);
  return bytes;
}

bool is_refused(const Answer& answer, ErrorCode code, std::string_view words) {
  return answer.refusal == code && answer.text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("propose: answered with the machine's reply and the index, once it is durable") {
  Hosted stage("0", 1);
  stage.lead_alone();
  const Index last = stage.node->raft().log().last_index();
  const ClientId c = stage.client();
  stage.disk_held = true;
  stage.propose(c, set_command("k", "1"));
  stage.settle();
  CHECK(stage.answers(c).empty());
  stage.disk_held = false;
  stage.run_batch();
  stage.settle();
  const Answers said = stage.answers(c);
  REQUIRE(said.size() == 1);
  CHECK_FALSE(said[0].refusal.has_value());
  CHECK(said[0].index == last + 1);
  CHECK(said[0].text == set_done(raw(last) + 1));
  CHECK(stage.store->get("k")->value == "1");
}

TEST_CASE("propose: on a follower it is forwarded, and the leader's answer is the answer") {
  Hosted stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.propose(c, "any bytes\n\0 at all");
  stage.settle();
  const auto forward = stage.peer("0").take<Forward>();
  REQUIRE(forward.has_value());
  CHECK(forward->command == "any bytes\n\0 at all");
  CHECK(forward->grows);
  stage.peer("0").say(ForwardReply{forward->number, ForwardReply::What::result, "reply", Index{9}});
  const Answers said = stage.answers(c);
  REQUIRE(said.size() == 1);
  CHECK(said[0].text == "reply");
  CHECK(said[0].index == Index{9});
}

TEST_CASE("propose: a leader tells a forwarder where the command is") {
  Hosted stage("0");
  stage.lead();
  const Index last = stage.node->raft().log().last_index();
  stage.peer("1").say(Forward{1, Term{1}, true, set_command("k", "1")});
  stage.let_peers_follow();
  const auto answer = stage.peer("1").take<ForwardReply>();
  REQUIRE(answer.has_value());
  CHECK(answer->what == ForwardReply::What::result);
  CHECK(answer->index == last + 1);
  CHECK(answer->result == set_done(raw(last) + 1));
}

TEST_CASE("barrier: answered when what it has to see is applied here") {
  Hosted stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.node->on_barrier(c, timeout_ms);
  stage.settle();
  const auto asked = stage.peer("0").take<ReadIndex>();
  REQUIRE(asked.has_value());
  CHECK_FALSE(asked->to_log_end);
  const Index later = stage.leader_last + 1;
  stage.peer("0").say(ReadIndexReply{asked->number, true, Term{1}, later, later});
  CHECK(stage.answers(c).empty());
  stage.leader_appends({set_command("k", "1")});
  const Answers said = stage.answers(c);
  REQUIRE(said.size() == 1);
  CHECK_FALSE(said[0].refusal.has_value());
  CHECK(stage.store->get("k")->value == "1");
}

TEST_CASE("barrier: behind a proposal under way it asks for the end of the leader's log") {
  Hosted stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.propose(c, "w");
  stage.node->on_barrier(c, timeout_ms);
  stage.settle();
  REQUIRE(stage.peer("0").take<Forward>().has_value());
  const auto asked = stage.peer("0").take<ReadIndex>();
  REQUIRE(asked.has_value());
  CHECK(asked->to_log_end);
}

TEST_CASE("answers and reply lines leave in the order asked") {
  Hosted stage("0", 1);
  stage.lead_alone();
  const ClientId c = stage.client();
  stage.disk_held = true;
  stage.line(c, R"({"op":"ping","id":1})");
  stage.propose(c, set_command("k", "1"));
  stage.line(c, R"({"op":"ping","id":2})");
  stage.node->on_barrier(c, timeout_ms);
  stage.settle();
  CHECK(stage.replies(c) == std::vector<std::string>{R"({"ok":true,"id":1})"});
  CHECK(stage.answers(c).empty());
  stage.disk_held = false;
  stage.run_batch();
  stage.settle();
  CHECK(stage.replies(c) == std::vector<std::string>{R"({"ok":true,"id":2})"});
  CHECK(stage.answers(c).size() == 2);
}

TEST_CASE("each kind of node refuses what is for the other, and serves what is for both") {
  SUBCASE("a machine of its own") {
    Hosted stage("0", 1);
    stage.lead_alone();
    for (const char* line :
         {R"({"op":"set","key":"k","value":1})", R"({"op":"get","key":"k","stale":true})",
          R"({"op":"scan"})", R"({"op":"count"})", R"({"op":"incr","key":"k"})"}) {
      CHECK(stage.ask(line) == R"({"ok":false,"error":"bad_request","message":)"
                               R"("this cluster replicates a state machine of its own"})");
    }
    CHECK(stage.ask(R"({"op":"ping"})") == R"({"ok":true})");
    CHECK(stage.ask(R"({"op":"status"})").find(R"("keys":0,)") != std::string::npos);
  }
  SUBCASE("the dictionary") {
    Stage stage("0", 1);
    stage.lead_alone();
    const ClientId c = stage.client();
    stage.node->on_propose(c, "command", timeout_ms);
    stage.node->on_barrier(c, timeout_ms);
    stage.settle();
    const Answers& said = stage.env.clients[c].answers;
    REQUIRE(said.size() == 2);
    for (const Answer& answer : said)
      CHECK(is_refused(answer, ErrorCode::bad_request, "replicates zatt's dictionary"));
  }
}

TEST_CASE("a cluster of both kinds: a foreign command is committed, answered and harmless") {
  Stage stage("0");  // the dictionary
  stage.lead();
  stage.peer("1").say(Forward{1, Term{1}, true, "no command of the dictionary"});
  stage.let_peers_follow();
  const auto answer = stage.peer("1").take<ForwardReply>();
  REQUIRE(answer.has_value());
  CHECK(kv::decode_reply(answer->result)->outcome == kv::Outcome::malformed);
  CHECK(stage.store->size() == 0);
}

TEST_CASE("propose: longer than a request may be, it is refused") {
  Hosted stage("0", 1);
  stage.options.max_request_bytes = 4096;
  stage.lead_alone();
  const ClientId c = stage.client();
  stage.propose(c, std::string(4096, 'x'));
  stage.propose(c, std::string(4097, 'x'));
  stage.settle();
  const Answers said = stage.answers(c);
  REQUIRE(said.size() == 2);
  CHECK_FALSE(said[0].refusal.has_value());
  CHECK(is_refused(said[1], ErrorCode::too_large, "up to 4096 bytes"));
}

TEST_CASE("the outcomes of what is not answered in time") {
  SUBCASE("handed on: unknown, and a barrier behind it settles it") {
    Hosted stage("1");
    stage.follow("0");
    const ClientId c = stage.client();
    stage.propose(c, "w");
    stage.settle();
    stage.pass_ms(timeout_ms + 1);
    const Answers said = stage.answers(c);
    REQUIRE(said.size() == 1);
    CHECK(
        is_refused(said[0], ErrorCode::outcome_unknown, "it may take effect now, later or never"));
    stage.node->on_barrier(c, timeout_ms);
    stage.settle();
    const auto asked = stage.peer("0").take<ReadIndex>();
    REQUIRE(asked.has_value());
    CHECK(asked->to_log_end);
  }
  SUBCASE("never handed on: nothing happened") {
    Hosted stage("1");
    stage.follow("0");
    stage.peer("0").disconnect();
    stage.fall_silent();
    const ClientId c = stage.client();
    stage.propose(c, "w");
    stage.node->on_barrier(c, timeout_ms);
    stage.settle();
    stage.pass_ms(timeout_ms + 1);
    const Answers said = stage.answers(c);
    REQUIRE(said.size() == 2);
    CHECK(is_refused(said[0], ErrorCode::no_leader, ""));
    CHECK(is_refused(said[1], ErrorCode::no_leader, ""));
  }
  SUBCASE("handed to a leader whose connection ends: unknown at once") {
    Hosted stage("1");
    stage.follow("0");
    const ClientId c = stage.client();
    stage.propose(c, "w");
    stage.settle();
    stage.peer("0").disconnect();
    const Answers said = stage.answers(c);
    REQUIRE(said.size() == 1);
    CHECK(is_refused(said[0], ErrorCode::outcome_unknown, "connection to the leader was lost"));
  }
  SUBCASE("asked of a node that stops") {
    Hosted stage("0", 1);
    stage.lead_alone();
    stage.node->shut_down();
    const ClientId c = stage.client();
    stage.propose(c, "w");
    stage.node->on_barrier(c, timeout_ms);
    stage.settle();
    const Answers said = stage.answers(c);
    REQUIRE(said.size() == 2);
    CHECK(is_refused(said[0], ErrorCode::shutting_down, "this node is stopping"));
    CHECK(is_refused(said[1], ErrorCode::shutting_down, "this node is stopping"));
  }
}

TEST_CASE("state: what a host is told") {
  Hosted stage("1");
  REQUIRE(stage.open());
  CHECK(stage.node->state() == NodeState{Role::follower, Term{0}, "", Index{0}, Index{0}});
  stage.close();

  Hosted following("1");
  following.follow("0", 3);
  CHECK(following.node->state() == NodeState{Role::follower, Term{3}, "0", Index{2}, Index{2}});
  following.fall_silent();
  following.pass_ms(3000);
  CHECK(following.node->state().role == Role::candidate);
  CHECK(following.node->state().leader.empty());

  Hosted leading("0");
  leading.lead();
  CHECK(leading.node->state() == NodeState{Role::leader, Term{1}, "0", Index{2}, Index{2}});
}

}  // namespace zatt::node
