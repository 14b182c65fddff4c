// SPDX-License-Identifier: AGPL-3.0-or-later
// What this process asks of a machine of its own: proposals and barriers, by the rules of writes
// and reads. The machine under test is the dictionary, which the node is not told of.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kv/reply.h"
#include "tests/node/protocol_text.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::ErrorCode;
using codec::Forward;
using codec::ForwardReply;
using codec::ReadIndex;
using codec::ReadIndexReply;
using test::Answer;
using test::barrier;
using test::NodeFixture;
using test::proposal;
using test::set_command;
using Answers = std::vector<Answer>;

constexpr std::uint32_t timeout_ms = 5000;

// A cluster with a machine of its own.
struct Hosted : NodeFixture {
  explicit Hosted(std::string id = "0", std::size_t members = 3)
      : NodeFixture(std::move(id), members) {
    with_store = false;
  }
  void propose(ClientId id, std::string command) {
    node->on_request(id, proposal(std::move(command), timeout_ms));
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
  Hosted fixture("0", 1);
  fixture.lead_alone();
  const Index last = fixture.node->raft().log().last_index();
  const ClientId c = fixture.client();
  fixture.disk_held = true;
  fixture.env.wall += 7;
  fixture.propose(c, set_command("k", "1"));
  fixture.settle();
  CHECK(fixture.answers(c).empty());
  CHECK(fixture.node->raft().log().last_time_us() == fixture.env.wall);
  fixture.disk_held = false;
  fixture.run_batch();
  fixture.settle();
  const Answers said = fixture.answers(c);
  REQUIRE(said.size() == 1);
  CHECK_FALSE(said[0].refusal.has_value());
  CHECK(said[0].index == last + 1);
  CHECK(said[0].text == set_done(raw(last) + 1));
  CHECK(fixture.store->get("k")->value == "1");
}

TEST_CASE("propose: on a follower it is forwarded, and the leader's answer is the answer") {
  Hosted fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.propose(c, "any bytes\n\0 at all");
  fixture.settle();
  const auto forward = fixture.peer("0").take<Forward>();
  REQUIRE(forward.has_value());
  CHECK(forward->command == "any bytes\n\0 at all");
  CHECK(forward->grows);
  fixture.peer("0").say(
      ForwardReply{forward->number, ForwardReply::What::result, "reply", Index{9}});
  const Answers said = fixture.answers(c);
  REQUIRE(said.size() == 1);
  CHECK(said[0].text == "reply");
  CHECK(said[0].index == Index{9});
}

TEST_CASE("propose: a leader tells a forwarder where the command is") {
  Hosted fixture("0");
  fixture.lead();
  const Index last = fixture.node->raft().log().last_index();
  fixture.peer("1").say(Forward{1, Term{1}, true, set_command("k", "1")});
  fixture.let_peers_follow();
  const auto answer = test::take_decided(fixture.peer("1"));
  REQUIRE(answer.has_value());
  CHECK(answer->what == ForwardReply::What::result);
  CHECK(answer->index == last + 1);
  CHECK(answer->result == set_done(raw(last) + 1));
}

TEST_CASE("barrier: answered when what it has to see is applied here") {
  Hosted fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.node->on_request(c, barrier(timeout_ms));
  fixture.settle();
  const auto asked = fixture.peer("0").take<ReadIndex>();
  REQUIRE(asked.has_value());
  CHECK_FALSE(asked->to_log_end);
  const Index later = fixture.leader_last + 1;
  fixture.peer("0").say(ReadIndexReply{asked->number, true, Term{1}, later, later});
  CHECK(fixture.answers(c).empty());
  fixture.leader_appends({set_command("k", "1")});
  const Answers said = fixture.answers(c);
  REQUIRE(said.size() == 1);
  CHECK_FALSE(said[0].refusal.has_value());
  CHECK(fixture.store->get("k")->value == "1");
}

TEST_CASE("barrier: behind a proposal under way it asks for the end of the leader's log") {
  Hosted fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.propose(c, "w");
  fixture.node->on_request(c, barrier(timeout_ms));
  fixture.settle();
  REQUIRE(fixture.peer("0").take<Forward>().has_value());
  const auto asked = fixture.peer("0").take<ReadIndex>();
  REQUIRE(asked.has_value());
  CHECK(asked->to_log_end);
}

TEST_CASE("answers and reply lines leave in the order asked") {
  Hosted fixture("0", 1);
  fixture.lead_alone();
  const ClientId c = fixture.client();
  fixture.disk_held = true;
  fixture.line(c, R"({"op":"ping","id":1})");
  fixture.propose(c, set_command("k", "1"));
  fixture.line(c, R"({"op":"ping","id":2})");
  fixture.node->on_request(c, barrier(timeout_ms));
  fixture.settle();
  CHECK(fixture.replies(c) == std::vector<std::string>{R"({"ok":true,"id":1})"});
  CHECK(fixture.answers(c).empty());
  fixture.disk_held = false;
  fixture.run_batch();
  fixture.settle();
  CHECK(fixture.replies(c) == std::vector<std::string>{R"({"ok":true,"id":2})"});
  CHECK(fixture.answers(c).size() == 2);
}

TEST_CASE("each kind of node refuses what is for the other, and serves what is for both") {
  SUBCASE("a machine of its own") {
    Hosted fixture("0", 1);
    fixture.lead_alone();
    for (const char* line :
         {R"({"op":"set","key":"k","value":1})", R"({"op":"get","key":"k","stale":true})",
          R"({"op":"scan"})", R"({"op":"count"})", R"({"op":"incr","key":"k"})"}) {
      CHECK(fixture.ask(line) == R"({"ok":false,"error":"bad_request","message":)"
                                 R"("this cluster replicates a state machine of its own"})");
    }
    CHECK(fixture.ask(R"({"op":"ping"})") == R"({"ok":true})");
    CHECK(fixture.ask(R"({"op":"status"})").find(R"("keys":0,)") != std::string::npos);
  }
  SUBCASE("the dictionary") {
    NodeFixture fixture("0", 1);
    fixture.lead_alone();
    const ClientId c = fixture.client();
    fixture.node->on_request(c, proposal("command", timeout_ms));
    fixture.node->on_request(c, barrier(timeout_ms));
    fixture.settle();
    const Answers& said = fixture.env.clients[c].answers;
    REQUIRE(said.size() == 2);
    for (const Answer& answer : said)
      CHECK(is_refused(answer, ErrorCode::bad_request, "replicates zatt's dictionary"));
  }
}

TEST_CASE("a cluster of both kinds: a foreign command is committed, answered and harmless") {
  NodeFixture fixture("0");  // the dictionary
  fixture.lead();
  fixture.peer("1").say(Forward{1, Term{1}, true, "no command of the dictionary"});
  fixture.let_peers_follow();
  const auto answer = test::take_decided(fixture.peer("1"));
  REQUIRE(answer.has_value());
  CHECK(kv::decode_reply(answer->result)->outcome == kv::Outcome::malformed);
  CHECK(fixture.store->size() == 0);
}

TEST_CASE("propose: longer than a request may be, it is refused") {
  Hosted fixture("0", 1);
  fixture.options.max_request_bytes = 4096;
  fixture.lead_alone();
  const ClientId c = fixture.client();
  fixture.propose(c, std::string(4096, 'x'));
  fixture.propose(c, std::string(4097, 'x'));
  fixture.settle();
  const Answers said = fixture.answers(c);
  REQUIRE(said.size() == 2);
  CHECK_FALSE(said[0].refusal.has_value());
  CHECK(is_refused(said[1], ErrorCode::too_large, "up to 4096 bytes"));
}

TEST_CASE("the outcomes of what is not answered in time") {
  SUBCASE("handed on: unknown, and a barrier behind it settles it") {
    Hosted fixture("1");
    fixture.follow("0");
    const ClientId c = fixture.client();
    fixture.propose(c, "w");
    fixture.settle();
    fixture.pass_ms(timeout_ms + 1);
    const Answers said = fixture.answers(c);
    REQUIRE(said.size() == 1);
    CHECK(
        is_refused(said[0], ErrorCode::outcome_unknown, "it may take effect now, later or never"));
    fixture.node->on_request(c, barrier(timeout_ms));
    fixture.settle();
    const auto asked = fixture.peer("0").take<ReadIndex>();
    REQUIRE(asked.has_value());
    CHECK(asked->to_log_end);
  }
  SUBCASE("never handed on: nothing happened") {
    Hosted fixture("1");
    fixture.follow("0");
    fixture.peer("0").disconnect();
    fixture.fall_silent();
    const ClientId c = fixture.client();
    fixture.propose(c, "w");
    fixture.node->on_request(c, barrier(timeout_ms));
    fixture.settle();
    fixture.pass_ms(timeout_ms + 1);
    const Answers said = fixture.answers(c);
    REQUIRE(said.size() == 2);
    CHECK(is_refused(said[0], ErrorCode::no_leader, ""));
    CHECK(is_refused(said[1], ErrorCode::no_leader, ""));
  }
  SUBCASE("handed to a leader whose connection ends: unknown at once") {
    Hosted fixture("1");
    fixture.follow("0");
    const ClientId c = fixture.client();
    fixture.propose(c, "w");
    fixture.settle();
    fixture.peer("0").disconnect();
    const Answers said = fixture.answers(c);
    REQUIRE(said.size() == 1);
    CHECK(is_refused(said[0], ErrorCode::outcome_unknown, "connection to the leader was lost"));
  }
  SUBCASE("asked of a node that stops") {
    Hosted fixture("0", 1);
    fixture.lead_alone();
    fixture.node->shut_down();
    const ClientId c = fixture.client();
    fixture.propose(c, "w");
    fixture.node->on_request(c, barrier(timeout_ms));
    fixture.settle();
    const Answers said = fixture.answers(c);
    REQUIRE(said.size() == 2);
    CHECK(is_refused(said[0], ErrorCode::shutting_down, "this node is stopping"));
    CHECK(is_refused(said[1], ErrorCode::shutting_down, "this node is stopping"));
  }
}

TEST_CASE("state: what a host is told") {
  Hosted fixture("1");
  REQUIRE(fixture.open());
  CHECK(fixture.node->state() == NodeState{Role::follower, Term{0}, "", Index{0}, Index{0}});
  fixture.close();

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
