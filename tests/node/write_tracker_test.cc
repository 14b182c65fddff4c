// SPDX-License-Identifier: AGPL-3.0-or-later
// Writes and their three outcomes, and what is forwarded, from both sides.
#include <doctest/doctest.h>

#include <optional>
#include <string>
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

constexpr const char* replaced_words = "the leader changed before the write was stored";

}  // namespace

// --- outcomes ------------------------------------------------------------------------------------

TEST_CASE("writes: done when a majority has it, and no sooner") {
  NodeFixture fixture("0");
  fixture.lead();
  fixture.disk_held = true;
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  fixture.peer("1").follow();  // one other, and not our own disk
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  fixture.run_batch();
  fixture.settle();
  CHECK(fixture.replies(c) == Lines{R"({"ok":true,"rev":3})"});
}

TEST_CASE("writes: two others are a majority before our own disk is done") {
  NodeFixture fixture("0");
  fixture.lead();
  fixture.disk_held = true;
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  fixture.let_peers_follow();
  CHECK(fixture.replies(c) == Lines{R"({"ok":true,"rev":3})"});
}

TEST_CASE("writes: a tenth of a second at most for a voter that is behind") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, set("a", 1));
  fixture.settle();
  fixture.let_peers_follow();
  fixture.pass_ms(100);
  fixture.line(c, set("b", 1));
  fixture.settle();
  fixture.peer("1").follow();
  const Index last = fixture.node->raft().log().last_index();
  for (int i = 0; i < 6; ++i) {  // peer 2 is there, and has not got b
    fixture.pass_ms(100);
    fixture.peer("1").follow();
    raft::HeartbeatReply beat;
    beat.term = fixture.node->raft().current_term();
    beat.match_index = beat.received_index = Index{raw(last) - 1};
    fixture.peer("2").say(beat);
  }
  fixture.settle();
  REQUIRE(fixture.node->raft().has_lagging_voter(fixture.env.now));
  fixture.line(c, set("c", 1));
  fixture.settle();
  CHECK(fixture.node->raft().log().last_index() == last);
  const std::uint64_t until = fixture.env.now + 100'000;
  CHECK(fixture.node->wake_at_us() <= until);
  fixture.env.now = until - 1;
  fixture.node->on_time();
  fixture.settle();
  CHECK(fixture.node->raft().log().last_index() == last);
  fixture.line(c, set("d", 1));  // waits with it
  fixture.env.now = until;
  fixture.node->on_time();
  fixture.settle();
  CHECK(fixture.node->raft().log().last_index() == last + 2);

  // Once it has caught up, nothing waits.
  fixture.line(c, set("e", 1));
  fixture.settle();
  CHECK(fixture.node->raft().log().last_index() == last + 2);
  fixture.peer("2").follow();
  fixture.settle();
  CHECK(fixture.node->raft().log().last_index() == last + 3);
}

TEST_CASE("writes: replaced by another leader's entry is a definite failure") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.line(c, set("w", 2));
  fixture.settle();
  fixture.peer("1").say(Forward{1, Term{1}, true, set_command("w", "3")});
  REQUIRE(fixture.node->raft().log().last_index() == Index{5});
  // Node 2 leads term 2 and never had them: its entry 3 takes the place of ours.
  raft::AppendEntries append;
  append.term = Term{2};
  append.prev_log_index = Index{2};
  append.prev_log_term = Term{1};
  append.leader_commit = Index{2};
  append.entries.push_back({Index{3}, Term{2}, 0, EntryKind::noop, ""});
  fixture.peer("2").say(append);
  CHECK(fixture.replies(c).empty());  // it is not committed
  fixture.peer("2").say(raft::Heartbeat{Term{2}, Index{3}, 0});
  // At 4 and 5 nothing stands yet, but nothing of an earlier term can any more.
  const Lines replies = fixture.replies(c);
  REQUIRE(replies.size() == 2);
  CHECK(is_error(replies[0], "no_leader", replaced_words));
  CHECK(is_error(replies[1], "no_leader", replaced_words));
  const auto answer = test::take_decided(fixture.peer("1"));
  REQUIRE(answer.has_value());
  CHECK(answer->what == What::replaced);
}

TEST_CASE("writes: replaced by the same bytes, they are still another's") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  raft::AppendEntries append{Term{2}, Index{2}, Term{1}, Index{3}, {}};
  const std::string same = set_command("w", "1");
  append.entries.push_back({Index{3}, Term{2}, 0, EntryKind::command, same});
  fixture.peer("2").say(append);
  CHECK(is_error(fixture.replies(c).at(0), "no_leader", replaced_words));
}

TEST_CASE("writes: what survives a change of leaders is done, though another leads") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  raft::AppendEntries append{Term{2}, Index{3}, Term{1}, Index{4}, {}};
  append.entries.push_back({Index{4}, Term{2}, 0, EntryKind::noop, ""});
  fixture.peer("2").say(append);
  CHECK(fixture.replies(c) == Lines{R"({"ok":true,"rev":3})"});
}

TEST_CASE("writes: refused conditions and bad numbers are answers of the store") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  CHECK(fixture.ask(set("k", 1)) == R"({"ok":true,"rev":3})");
  CHECK(is_error(fixture.ask(set("k", 2, R"(,"if":{"rev":9})")), "condition_failed"));
  CHECK(fixture.ask(R"({"op":"incr","key":"k"})") == R"({"ok":true,"value":2,"rev":5})");
  CHECK(fixture.ask(R"({"op":"delete","key":"k"})") == R"({"ok":true,"found":true,"rev":6})");
  CHECK(fixture.ask(R"({"op":"delete","key":"k"})") == R"({"ok":true,"found":false})");
}

TEST_CASE("writes: a disk that fails ends the node, and nothing is said after it") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.disk_held = true;
  fixture.line(c, set("w", 1));
  fixture.line(c, get("w"));
  fixture.settle();
  fixture.disk->fail_call(0, 5);
  fixture.run_batch();
  CHECK(fixture.env.stopped == node::StopReason::disk_failed);
  CHECK(fixture.env.count_logged("zatt.0.persist: ") == 1);
  CHECK(fixture.env.count_logged("this node stops") == 1);
  const std::size_t calls = fixture.env.calls;
  fixture.node->flush();
  for (const char* id : {"1", "2"})
    fixture.peer(id).say(
        raft::AppendReply{Term{1}, true, Index{3}, Index{3}, {}, {}, {}, DiskSpace::enough});
  fixture.peer("1").say(Forward{1, Term{1}, true, set_command("x", "1")});
  fixture.line(c, set("w", 2));
  fixture.node->on_client_end(c);
  fixture.pass_ms(6000);
  fixture.node->on_link_down(fixture.peer("2").link);
  fixture.node->on_link_up(LinkId{99}, std::nullopt);
  fixture.node->shut_down();
  fixture.node->flush();
  CHECK(fixture.env.calls == calls);
  CHECK(fixture.node->is_idle());
}

// --- forwards: the asked node's side -------------------------------------------------------------

TEST_CASE("forwards: handed to the leader with its term, and its answer handed back") {
  NodeFixture fixture("1");
  fixture.follow("0", 7);
  Peer& leader = fixture.peer("0");
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1, R"(,"id":"a")"));
  fixture.line(c, R"({"op":"delete","key":"w"})");
  fixture.settle();
  const auto forwards = leader.take_all<Forward>();
  REQUIRE(forwards.size() == 2);
  CHECK(forwards[0].term == Term{7});
  CHECK(forwards[0].grows);
  CHECK_FALSE(forwards[1].grows);
  CHECK(forwards[1].number > forwards[0].number);
  CHECK(forwards[0].command == set_command("w", "1"));
  leader.say(ForwardReply{forwards[1].number, What::result, applied(4)});
  CHECK(fixture.replies(c).empty());  // in the order asked
  leader.say(ForwardReply{forwards[0].number, What::result, applied(3)});
  CHECK(fixture.replies(c) ==
        Lines{R"({"ok":true,"id":"a","rev":3})", R"({"ok":true,"found":false})"});
  // Said twice is heard once.
  leader.say(ForwardReply{forwards[0].number, What::result, applied(3)});
  leader.say(ForwardReply{1000, What::result, applied(3)});
  CHECK(fixture.replies(c).empty());
}

TEST_CASE("forwards: an answer that cannot be read leaves the outcome unknown") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  const auto forward = fixture.peer("0").take<Forward>();
  fixture.peer("0").say(ForwardReply{forward->number, What::result, "?"});
  CHECK(is_error(fixture.replies(c).at(0), "outcome_unknown"));
}

TEST_CASE("forwards: what was not taken goes to the next leader, in order") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  for (int i = 1; i <= 3; ++i) fixture.line(c, set("w", i));
  fixture.settle();
  const auto forwards = fixture.peer("0").take_all<Forward>();
  REQUIRE(forwards.size() == 3);
  fixture.follow("2", 2);
  for (const Forward& forward : forwards) {
    CHECK_FALSE(fixture.peer("2").take<Forward>().has_value());
    fixture.peer("0").say(ForwardReply{forward.number, What::not_taken, {}});
  }
  CHECK(commands_of(fixture.peer("2").take_all<Forward>()) ==
        Lines{set_command("w", "1"), set_command("w", "2"), set_command("w", "3")});
}

TEST_CASE("forwards: what was not taken is not sent again to who did not take it") {
  // A leader that has stepped down in its term leads it no more: asking again and again would only
  // keep both busy until the next one is known.
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& old = fixture.peer("0");
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  std::size_t sent = 0;
  for (int i = 0; i < 20; ++i)
    for (const Forward& forward : old.take_all<Forward>()) {
      ++sent;
      old.say(ForwardReply{forward.number, What::not_taken, {}});
    }
  CHECK(sent == 1);
  fixture.follow("2", 2);
  CHECK(commands_of(fixture.peer("2").take_all<Forward>()) == Lines{set_command("w", "1")});
}

TEST_CASE("forwards: written without a leader, handed on when there is one") {
  NodeFixture fixture("1");
  fixture.found();
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  CHECK_FALSE(fixture.peer("0").take<Forward>().has_value());
  fixture.follow("0");
  CHECK(commands_of(fixture.peer("0").take_all<Forward>()) == Lines{set_command("w", "1")});
  CHECK_FALSE(fixture.peer("2").take<Forward>().has_value());
  CHECK(fixture.replies(c).empty());
}

TEST_CASE("forwards: a client that is gone is not answered, and its write is not undone") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.settle();
  const auto forward = fixture.peer("0").take<Forward>();
  fixture.node->on_client_closed(c);
  fixture.peer("0").say(ForwardReply{forward->number, What::result, applied(3)});
  CHECK(fixture.replies(c).empty());
  const ClientId waiting = fixture.client();
  fixture.peer("0").disconnect();
  fixture.line(waiting, set("w", 1));
  fixture.settle();
  fixture.node->on_client_closed(waiting);
  fixture.follow("2", 2);
  CHECK_FALSE(fixture.peer("2").take<Forward>().has_value());
}

// --- forwards: the leader's side -----------------------------------------------------------------

TEST_CASE("forwards: taken, committed and answered") {
  NodeFixture fixture("0");
  fixture.lead();
  Peer& one = fixture.peer("1");
  one.say(Forward{1, Term{1}, true, set_command("w", "1")});
  CHECK_FALSE(test::take_decided(one).has_value());
  fixture.let_peers_follow();
  const auto answer = test::take_decided(one);
  REQUIRE(answer.has_value());
  CHECK(answer->number == 1);
  CHECK(answer->what == What::result);
  CHECK(answer->result == applied(3));
}

TEST_CASE("forwards: repeated and overtaken numbers are dropped without an answer") {
  NodeFixture fixture("0");
  fixture.lead();
  Peer& one = fixture.peer("1");
  const Index last = fixture.node->raft().log().last_index();
  one.say(Forward{5, Term{1}, true, set_command("w", "1")});
  one.say(Forward{5, Term{1}, true, set_command("w", "1")});
  one.say(Forward{4, Term{1}, true, set_command("w", "1")});
  one.say(ReadIndex{5, Term{1}, false});
  CHECK(fixture.node->raft().log().last_index() == last + 1);
  fixture.let_peers_follow();
  CHECK(test::decided(one).size() == 1);
  CHECK_FALSE(one.take<ReadIndexReply>().has_value());
  // Numbers are of a connection.
  one.connect();
  one.say(Forward{1, Term{1}, true, set_command("w", "2")});
  CHECK(fixture.node->raft().log().last_index() == last + 2);
}

TEST_CASE("forwards: one hop only, a follower forwards no forward") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.peer("2").say(Forward{1, Term{1}, true, set_command("w", "1")});
  CHECK_FALSE(fixture.peer("0").take<Forward>().has_value());
  const auto answer = test::take_decided(fixture.peer("2"));
  REQUIRE(answer.has_value());
  CHECK(answer->what == What::not_taken);
  fixture.peer("2").say(ReadIndex{2, Term{1}, false});
  CHECK_FALSE(fixture.peer("0").take<ReadIndex>().has_value());
  CHECK_FALSE(fixture.peer("2").take<ReadIndexReply>()->confirmed);
}

TEST_CASE("forwards: a full disk refuses growth and lets deletes pass") {
  NodeFixture fixture("0");
  fixture.lead();
  for (const char* id : {"1", "2"})
    fixture.peer(id).say(raft::HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::low});
  REQUIRE(fixture.node->raft().room() == DiskSpace::low);
  Peer& one = fixture.peer("1");
  one.say(Forward{1, Term{1}, true, set_command("w", "1")});
  CHECK(test::take_decided(one)->what == What::storage_full);
  one.say(Forward{2, Term{1}, false, set_command("w", "1")});
  CHECK_FALSE(test::take_decided(one).has_value());
  const ClientId c = fixture.client();
  fixture.line(c, set("w", 1));
  fixture.line(c, R"({"op":"incr","key":"w"})");
  fixture.line(c, R"({"op":"delete","key":"w"})");
  fixture.settle();
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[0], "storage_full",
                 "the disk has no room for this; reads go on. Make room on the disk: deleting keys "
                 "makes none"));
  CHECK(is_error(said[1], "storage_full"));
}

TEST_CASE("forwards: where the reserve is used up, deletes are refused too") {
  NodeFixture fixture("0");
  fixture.lead();
  for (const char* id : {"1", "2"})
    fixture.peer(id).say(raft::HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::full});
  Peer& one = fixture.peer("1");
  one.say(Forward{1, Term{1}, false, set_command("w", "1")});
  CHECK(test::take_decided(one)->what == What::storage_full);
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"delete","key":"w"})");
  fixture.settle();
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 1);
  CHECK(is_error(said[0], "storage_full"));
}

TEST_CASE("forwards: bytes that are no command get an answer and change nothing") {
  NodeFixture fixture("0");
  fixture.lead();
  fixture.peer("1").say(Forward{1, Term{1}, true, "no command"});
  fixture.let_peers_follow();
  const auto answer = test::take_decided(fixture.peer("1"));
  REQUIRE(answer.has_value());
  CHECK(kv::decode_reply(answer->result)->outcome == kv::Outcome::malformed);
}

}  // namespace zatt::node
