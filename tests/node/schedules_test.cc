// SPDX-License-Identifier: AGPL-3.0-or-later
// The schedules in which a follower's forwards could break the order that one connection promises:
// each with the node under test in every part it has there.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/node/protocol_text.h"
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
using test::NodeFixture;
using test::Peer;
using test::set;
using test::set_command;
using What = ForwardReply::What;

// The node leads term 2 instead of its silent leader; the others may still be connected.
void take_over(NodeFixture& fixture, const std::string& voter) {
  fixture.fall_silent();
  for (int i = 0; i < 60 && !fixture.node->raft().is_leader(); ++i) {
    fixture.pass_ms(50);
    fixture.peer(voter).follow();
  }
  REQUIRE(fixture.node->raft().is_leader());
  fixture.peer(voter).follow();
}

}  // namespace

TEST_CASE("schedule 1: handed to an old leader, then led by the asked node itself") {
  SUBCASE("the asked node proposes nothing while the old leader can still answer") {
    NodeFixture fixture("1");
    fixture.follow("0");
    const ClientId c = fixture.client();
    fixture.line(c, set("w", 1));
    fixture.settle();
    REQUIRE(fixture.peer("0").take<Forward>().has_value());
    take_over(fixture, "2");
    const Index last = fixture.node->raft().log().last_index();
    fixture.line(c, set("w", 2));
    fixture.settle();
    CHECK(fixture.node->raft().log().last_index() == last);
    // Another client is none of its business.
    const ClientId other = fixture.client();
    fixture.line(other, set("other", 1));
    fixture.settle();
    CHECK(fixture.node->raft().log().last_index() == last + 1);
    // The connection that could have answered is gone: w1 is unknown, w2 goes on.
    fixture.peer("0").disconnect();
    CHECK(fixture.node->raft().log().last_index() == last + 2);
    fixture.peer("2").follow();
    const Lines said = fixture.replies(c);
    REQUIRE(said.size() == 2);
    CHECK(is_error(said[0], "outcome_unknown", "the connection to the leader was lost"));
    CHECK(said[1] == R"({"ok":true,"rev":)" + std::to_string(raw(last) + 2) + "}");
  }
  SUBCASE("the leader of a later term takes none that was meant for an earlier") {
    NodeFixture fixture("1");
    fixture.follow("0");
    take_over(fixture, "2");
    const Index last = fixture.node->raft().log().last_index();
    REQUIRE(raw(fixture.node->raft().current_term()) == 2);
    fixture.peer("0").say(Forward{1, Term{1}, true, set_command("w", "1")});
    const auto answer = test::take_decided(fixture.peer("0"));
    REQUIRE(answer.has_value());
    CHECK(answer->what == What::not_taken);
    CHECK(fixture.node->raft().log().last_index() == last);
    fixture.peer("0").say(Forward{2, Term{2}, true, set_command("w", "1")});
    CHECK(fixture.node->raft().log().last_index() == last + 1);
  }
}

TEST_CASE("schedule 2: unread on the old connection to the same leader") {
  SUBCASE("the leader reads no more of it") {
    NodeFixture fixture("0");
    fixture.lead();
    Peer& one = fixture.peer("1");
    const Index last = fixture.node->raft().log().last_index();
    std::string bytes;
    encode(Forward{1, Term{1}, true, set_command("w", "1")}, bytes);
    const Lines unread = one.frames_of(bytes);
    const LinkId older = one.link;
    one.connect();
    one.say(Forward{1, Term{1}, true, set_command("w", "2")});
    CHECK(fixture.node->raft().log().last_index() == last + 1);
    fixture.node->on_frame(older, unread[0]);
    fixture.settle();
    CHECK(fixture.node->raft().log().last_index() == last + 1);
  }
  SUBCASE("the asked node gives up what went over it, and reads from the end of the log") {
    NodeFixture fixture("1");
    fixture.follow("0");
    Peer& leader = fixture.peer("0");
    const ClientId c = fixture.client();
    fixture.line(c, set("w", 1));
    fixture.settle();
    REQUIRE(leader.take<Forward>().has_value());
    leader.connect();
    leader.say(raft::Heartbeat{Term{1}, fixture.leader_last, 0});
    const Lines said = fixture.replies(c);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "outcome_unknown", "a read on this connection settles it"));
    CHECK_FALSE(leader.take<Forward>().has_value());  // and is never sent again
    fixture.line(c, get("w"));
    fixture.settle();
    const auto read = leader.take<ReadIndex>();
    REQUIRE(read.has_value());
    CHECK(read->to_log_end);
  }
}

TEST_CASE("schedule 3: an old leader's \"not taken\" comes after a new one is known") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  const auto w1 = fixture.peer("0").take<Forward>();
  REQUIRE(w1.has_value());
  fixture.follow("2", 2);
  fixture.line(c, set("w", 2));
  fixture.line(c, get("w"));
  fixture.settle();
  CHECK_FALSE(fixture.peer("2").take<Forward>().has_value());
  CHECK_FALSE(fixture.peer("2").take<ReadIndex>().has_value());
  fixture.peer("0").say(ForwardReply{w1->number, What::not_taken, {}});
  CHECK(commands_of(fixture.peer("2").take_all<Forward>()) ==
        Lines{set_command("w", "1"), set_command("w", "2")});
  const auto read = fixture.peer("2").take<ReadIndex>();
  REQUIRE(read.has_value());
  CHECK(read->to_log_end);
  CHECK(fixture.replies(c).empty());
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
      NodeFixture fixture("1");
      fixture.follow("0");
      Peer& leader = fixture.peer("0");
      const ClientId c = fixture.client();
      fixture.line(c, set("w", 1));
      fixture.line(c, set("w", 2));
      fixture.settle();
      const auto forwards = leader.take_all<Forward>();
      REQUIRE(forwards.size() == 2);
      leader.say(ForwardReply{forwards[0].number, what, {}});
      leader.say(ForwardReply{forwards[1].number, What::result, applied(3)});
      const Lines said = fixture.replies(c);
      REQUIRE(said.size() == 2);
      CHECK(is_error(said[0], code));
      CHECK(said[1] == R"({"ok":true,"rev":3})");
      fixture.pass_ms(500);
      CHECK_FALSE(leader.take<Forward>().has_value());
    }
  }
  SUBCASE("a leader that stops takes all, or from one on none") {
    NodeFixture fixture("0");
    fixture.lead();
    Peer& one = fixture.peer("1");
    one.say(Forward{1, Term{1}, true, set_command("w", "1")});
    fixture.node->shut_down();
    fixture.settle();  // it hands on its leadership
    CHECK_FALSE(fixture.node->raft().is_leader());
    one.say(Forward{2, Term{1}, true, set_command("w", "2")});
    one.say(Forward{3, Term{1}, true, set_command("w", "3")});
    const auto answers = test::decided(one);
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].number == 2);
    CHECK(answers[0].what == What::not_taken);
    CHECK(answers[1].number == 3);
    CHECK(answers[1].what == What::not_taken);
  }
}

TEST_CASE("schedule 5: a read behind a write that timed out") {
  SUBCASE("at the leader it waits for the write, though its leadership is confirmed") {
    NodeFixture fixture("0");
    fixture.lead();
    const ClientId c = fixture.client();
    fixture.line(c, set("w", 1, R"(,"timeout_ms":50)"));
    fixture.settle();
    fixture.pass_ms(60);
    const Lines unknown = fixture.replies(c);
    REQUIRE(unknown.size() == 1);
    CHECK(is_error(unknown[0], "outcome_unknown", "not confirmed in time"));
    fixture.line(c, get("w"));
    fixture.settle();
    for (const char* id : {"1", "2"})
      for (const raft::Heartbeat& m : fixture.peer(id).take_all<raft::Heartbeat>())
        fixture.peer(id).say(
            raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
    CHECK(fixture.replies(c).empty());
    const ClientId other = fixture.client();  // who has sent no write need not wait
    fixture.line(other, get("w"));
    fixture.settle();
    for (const char* id : {"1", "2"})
      for (const raft::Heartbeat& m : fixture.peer(id).take_all<raft::Heartbeat>())
        fixture.peer(id).say(
            raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
    CHECK(fixture.replies(other) == Lines{R"({"ok":true,"found":false})"});
    fixture.let_peers_follow();
    CHECK(fixture.replies(c) == Lines{R"({"ok":true,"found":true,"value":1,"rev":3})"});
  }
  SUBCASE("a follower asks for the end of the log, until one such read is answered") {
    NodeFixture fixture("1");
    fixture.follow("0");
    Peer& leader = fixture.peer("0");
    const ClientId c = fixture.client();
    const auto asks_for_the_end = [&] {
      fixture.line(c, get("w"));
      fixture.settle();
      const auto read = leader.take<ReadIndex>();
      REQUIRE(read.has_value());
      leader.say(
          ReadIndexReply{read->number, true, Term{1}, fixture.leader_last, fixture.leader_last});
      return read->to_log_end;
    };
    CHECK_FALSE(asks_for_the_end());
    fixture.line(c, set("w", 1, R"(,"timeout_ms":50)"));
    fixture.settle();
    fixture.pass_ms(60);
    fixture.ask(R"({"op":"ping"})");
    fixture.line(c, R"({"op":"get","key":"w","stale":true})");  // settles nothing
    CHECK(asks_for_the_end());
    CHECK_FALSE(asks_for_the_end());
    CHECK(fixture.replies(c).size() == 5);
  }
}

TEST_CASE("schedule 6: a write behind a read waits for the read's answer") {
  SUBCASE("at the leader") {
    NodeFixture fixture("0");
    fixture.lead();
    const Index last = fixture.node->raft().log().last_index();
    const ClientId c = fixture.client();
    fixture.line(c, get("w"));
    fixture.line(c, set("w", 1));
    fixture.settle();
    CHECK(fixture.node->raft().log().last_index() == last);
    fixture.let_peers_follow();
    CHECK(fixture.node->raft().log().last_index() == last + 1);
    CHECK(fixture.replies(c) == Lines{R"({"ok":true,"found":false})", R"({"ok":true,"rev":3})"});
  }
  SUBCASE("at a follower") {
    NodeFixture fixture("1");
    fixture.follow("0");
    Peer& leader = fixture.peer("0");
    const ClientId c = fixture.client();
    fixture.line(c, get("w"));
    fixture.line(c, set("w", 1));
    fixture.settle();
    const auto read = leader.take<ReadIndex>();
    REQUIRE(read.has_value());
    CHECK_FALSE(leader.take<Forward>().has_value());
    // Another's write is applied here before the answer's index is reached.
    leader.say(
        ReadIndexReply{read->number, true, Term{1}, fixture.leader_last + 1, fixture.leader_last});
    CHECK_FALSE(leader.take<Forward>().has_value());
    fixture.leader_appends({set_command("x", "1")});
    CHECK(fixture.replies(c) == Lines{R"({"ok":true,"found":false})"});
    CHECK(leader.take<Forward>().has_value());
  }
}

}  // namespace zatt::node
