// SPDX-License-Identifier: AGPL-3.0-or-later
// The schedules in which a follower's forwards could break the order that one connection promises:
// each with the node under test in every part it has there.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/node/words.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Forward;
using codec::ForwardReply;
using codec::ReadIndex;
using codec::ReadIndexReply;
using test::applied;
using test::commands_of;
using test::get;
using test::is_error;
using test::Lines;
using test::Peer;
using test::set;
using test::set_command;
using test::Stage;
using What = ForwardReply::What;

// The node leads term 2 instead of its silent leader; the others may still be connected.
void take_over(Stage& stage, const std::string& voter) {
  stage.fall_silent();
  for (int i = 0; i < 60 && !stage.node->raft().is_leader(); ++i) {
    stage.pass_ms(50);
    stage.peer(voter).follow();
  }
  REQUIRE(stage.node->raft().is_leader());
  stage.peer(voter).follow();
}

}  // namespace

TEST_CASE("schedule 1: handed to an old leader, then led by the asked node itself") {
  SUBCASE("the asked node proposes nothing while the old leader can still answer") {
    Stage stage("1");
    stage.follow("0");
    const ClientId c = stage.client();
    stage.line(c, set("w", 1));
    stage.settle();
    REQUIRE(stage.peer("0").take<Forward>().has_value());
    take_over(stage, "2");
    const Index last = stage.node->raft().log().last_index();
    stage.line(c, set("w", 2));
    stage.settle();
    CHECK(stage.node->raft().log().last_index() == last);
    // Another client is none of its business.
    const ClientId other = stage.client();
    stage.line(other, set("other", 1));
    stage.settle();
    CHECK(stage.node->raft().log().last_index() == last + 1);
    // The connection that could have answered is gone: w1 is unknown, w2 goes on.
    stage.peer("0").disconnect();
    CHECK(stage.node->raft().log().last_index() == last + 2);
    stage.peer("2").follow();
    const Lines said = stage.replies(c);
    REQUIRE(said.size() == 2);
    CHECK(is_error(said[0], "outcome_unknown", "the connection to the leader was lost"));
    CHECK(said[1] == R"({"ok":true,"rev":)" + std::to_string(raw(last) + 2) + "}");
  }
  SUBCASE("the leader of a later term takes none that was meant for an earlier") {
    Stage stage("1");
    stage.follow("0");
    take_over(stage, "2");
    const Index last = stage.node->raft().log().last_index();
    REQUIRE(raw(stage.node->raft().current_term()) == 2);
    stage.peer("0").say(Forward{1, Term{1}, true, set_command("w", "1")});
    const auto answer = stage.peer("0").take<ForwardReply>();
    REQUIRE(answer.has_value());
    CHECK(answer->what == What::not_taken);
    CHECK(stage.node->raft().log().last_index() == last);
    stage.peer("0").say(Forward{2, Term{2}, true, set_command("w", "1")});
    CHECK(stage.node->raft().log().last_index() == last + 1);
  }
}

TEST_CASE("schedule 2: unread on the old connection to the same leader") {
  SUBCASE("the leader reads no more of it") {
    Stage stage("0");
    stage.lead();
    Peer& one = stage.peer("1");
    const Index last = stage.node->raft().log().last_index();
    std::string bytes;
    encode(Forward{1, Term{1}, true, set_command("w", "1")}, bytes);
    const Lines unread = one.frames_of(bytes);
    const LinkId older = one.link;
    one.connect();
    one.say(Forward{1, Term{1}, true, set_command("w", "2")});
    CHECK(stage.node->raft().log().last_index() == last + 1);
    stage.node->on_frame(older, unread[0]);
    stage.settle();
    CHECK(stage.node->raft().log().last_index() == last + 1);
  }
  SUBCASE("the asked node gives up what went over it, and reads from the end of the log") {
    Stage stage("1");
    stage.follow("0");
    Peer& leader = stage.peer("0");
    const ClientId c = stage.client();
    stage.line(c, set("w", 1));
    stage.settle();
    REQUIRE(leader.take<Forward>().has_value());
    leader.connect();
    leader.say(raft::Heartbeat{Term{1}, stage.leader_last, 0});
    const Lines said = stage.replies(c);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "outcome_unknown", "a read on this connection settles it"));
    CHECK_FALSE(leader.take<Forward>().has_value());  // and is never sent again
    stage.line(c, get("w"));
    stage.settle();
    const auto read = leader.take<ReadIndex>();
    REQUIRE(read.has_value());
    CHECK(read->to_log_end);
  }
}

TEST_CASE("schedule 3: an old leader's \"not taken\" comes after a new one is known") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  const auto w1 = stage.peer("0").take<Forward>();
  REQUIRE(w1.has_value());
  stage.follow("2", 2);
  stage.line(c, set("w", 2));
  stage.line(c, get("w"));
  stage.settle();
  CHECK_FALSE(stage.peer("2").take<Forward>().has_value());
  CHECK_FALSE(stage.peer("2").take<ReadIndex>().has_value());
  stage.peer("0").say(ForwardReply{w1->number, What::not_taken, {}});
  CHECK(commands_of(stage.peer("2").take_all<Forward>()) ==
        Lines{set_command("w", "1"), set_command("w", "2")});
  const auto read = stage.peer("2").take<ReadIndex>();
  REQUIRE(read.has_value());
  CHECK(read->to_log_end);
  CHECK(stage.replies(c).empty());
}

TEST_CASE("schedule 4: of two in the pipe the first is refused and the second taken") {
  SUBCASE("what was refused is the client's answer, and is not sent again") {
    const std::pair<What, const char*> refusals[] = {{What::overloaded, "overloaded"},
                                                     {What::storage_full, "storage_full"},
                                                     {What::replaced, "no_leader"}};
    for (const auto& refusal : refusals) {
      const What what = refusal.first;
      const std::string code = refusal.second;
      CAPTURE(code);
      Stage stage("1");
      stage.follow("0");
      Peer& leader = stage.peer("0");
      const ClientId c = stage.client();
      stage.line(c, set("w", 1));
      stage.line(c, set("w", 2));
      stage.settle();
      const auto forwards = leader.take_all<Forward>();
      REQUIRE(forwards.size() == 2);
      leader.say(ForwardReply{forwards[0].number, what, {}});
      leader.say(ForwardReply{forwards[1].number, What::result, applied(3)});
      const Lines said = stage.replies(c);
      REQUIRE(said.size() == 2);
      CHECK(is_error(said[0], code));
      CHECK(said[1] == R"({"ok":true,"rev":3})");
      stage.pass_ms(500);
      CHECK_FALSE(leader.take<Forward>().has_value());
    }
  }
  SUBCASE("a leader that stops takes all, or from one on none") {
    Stage stage("0");
    stage.lead();
    Peer& one = stage.peer("1");
    one.say(Forward{1, Term{1}, true, set_command("w", "1")});
    stage.node->shut_down();
    stage.settle();  // it hands on its leadership
    CHECK_FALSE(stage.node->raft().is_leader());
    one.say(Forward{2, Term{1}, true, set_command("w", "2")});
    one.say(Forward{3, Term{1}, true, set_command("w", "3")});
    const auto answers = one.take_all<ForwardReply>();
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].number == 2);
    CHECK(answers[0].what == What::not_taken);
    CHECK(answers[1].number == 3);
    CHECK(answers[1].what == What::not_taken);
  }
}

TEST_CASE("schedule 5: a read behind a write that timed out") {
  SUBCASE("at the leader it waits for the write, though its leadership is confirmed") {
    Stage stage("0");
    stage.lead();
    const ClientId c = stage.client();
    stage.line(c, set("w", 1, R"(,"timeout_ms":50)"));
    stage.settle();
    stage.pass_ms(60);
    const Lines unknown = stage.replies(c);
    REQUIRE(unknown.size() == 1);
    CHECK(is_error(unknown[0], "outcome_unknown", "not confirmed in time"));
    stage.line(c, get("w"));
    stage.settle();
    for (const char* id : {"1", "2"})
      for (const raft::Heartbeat& m : stage.peer(id).take_all<raft::Heartbeat>())
        stage.peer(id).say(
            raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
    CHECK(stage.replies(c).empty());
    const ClientId other = stage.client();  // who has sent no write need not wait
    stage.line(other, get("w"));
    stage.settle();
    for (const char* id : {"1", "2"})
      for (const raft::Heartbeat& m : stage.peer(id).take_all<raft::Heartbeat>())
        stage.peer(id).say(
            raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
    CHECK(stage.replies(other) == Lines{R"({"ok":true,"found":false})"});
    stage.let_peers_follow();
    CHECK(stage.replies(c) == Lines{R"({"ok":true,"found":true,"value":1,"rev":3})"});
  }
  SUBCASE("a follower asks for the end of the log, until one such read is answered") {
    Stage stage("1");
    stage.follow("0");
    Peer& leader = stage.peer("0");
    const ClientId c = stage.client();
    const auto asks_for_the_end = [&] {
      stage.line(c, get("w"));
      stage.settle();
      const auto read = leader.take<ReadIndex>();
      REQUIRE(read.has_value());
      leader.say(ReadIndexReply{read->number, true, Term{1}, stage.leader_last, stage.leader_last});
      return read->to_log_end;
    };
    CHECK_FALSE(asks_for_the_end());
    stage.line(c, set("w", 1, R"(,"timeout_ms":50)"));
    stage.settle();
    stage.pass_ms(60);
    stage.ask(R"({"op":"ping"})");
    stage.line(c, R"({"op":"get","key":"w","stale":true})");  // settles nothing
    CHECK(asks_for_the_end());
    CHECK_FALSE(asks_for_the_end());
    CHECK(stage.replies(c).size() == 5);
  }
}

TEST_CASE("schedule 6: a write behind a read waits for the read's answer") {
  SUBCASE("at the leader") {
    Stage stage("0");
    stage.lead();
    const Index last = stage.node->raft().log().last_index();
    const ClientId c = stage.client();
    stage.line(c, get("w"));
    stage.line(c, set("w", 1));
    stage.settle();
    CHECK(stage.node->raft().log().last_index() == last);
    stage.let_peers_follow();
    CHECK(stage.node->raft().log().last_index() == last + 1);
    CHECK(stage.replies(c) == Lines{R"({"ok":true,"found":false})", R"({"ok":true,"rev":3})"});
  }
  SUBCASE("at a follower") {
    Stage stage("1");
    stage.follow("0");
    Peer& leader = stage.peer("0");
    const ClientId c = stage.client();
    stage.line(c, get("w"));
    stage.line(c, set("w", 1));
    stage.settle();
    const auto read = leader.take<ReadIndex>();
    REQUIRE(read.has_value());
    CHECK_FALSE(leader.take<Forward>().has_value());
    // Another's write is applied here before the answer's index is reached.
    leader.say(
        ReadIndexReply{read->number, true, Term{1}, stage.leader_last + 1, stage.leader_last});
    CHECK_FALSE(leader.take<Forward>().has_value());
    stage.leader_appends({set_command("x", "1")});
    CHECK(stage.replies(c) == Lines{R"({"ok":true,"found":false})"});
    CHECK(leader.take<Forward>().has_value());
  }
}

}  // namespace zatt::node
