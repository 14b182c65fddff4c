// SPDX-License-Identifier: AGPL-3.0-or-later
// Writes and their three outcomes, and what is forwarded, from both sides.
#include <doctest/doctest.h>

#include <optional>
#include <string>
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

constexpr const char* replaced_words = "the leader changed before the write was stored";

}  // namespace

// --- outcomes ------------------------------------------------------------------------------------

TEST_CASE("writes: done when a majority has it, and no sooner") {
  Stage stage("0");
  stage.lead();
  stage.disk_held = true;
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  CHECK(stage.replies(c).empty());
  stage.peer("1").follow();  // one other, and not our own disk
  stage.settle();
  CHECK(stage.replies(c).empty());
  stage.run_batch();
  stage.settle();
  CHECK(stage.replies(c) == Lines{R"({"ok":true,"rev":3})"});
}

TEST_CASE("writes: two others are a majority before our own disk is done") {
  Stage stage("0");
  stage.lead();
  stage.disk_held = true;
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  stage.let_peers_follow();
  CHECK(stage.replies(c) == Lines{R"({"ok":true,"rev":3})"});
}

TEST_CASE("writes: replaced by another leader's entry is a definite failure") {
  Stage stage("0");
  stage.lead();
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.line(c, set("w", 2));
  stage.settle();
  stage.peer("1").say(Forward{1, Term{1}, true, set_command("w", "3")});
  REQUIRE(stage.node->raft().log().last_index() == Index{5});
  // Node 2 leads term 2 and never had them: its entry 3 takes the place of ours.
  raft::AppendEntries append;
  append.term = Term{2};
  append.prev_log_index = Index{2};
  append.prev_log_term = Term{1};
  append.leader_commit = Index{2};
  append.entries.push_back({Index{3}, Term{2}, EntryKind::noop, ""});
  stage.peer("2").say(append);
  CHECK(stage.replies(c).empty());  // it is not committed
  stage.peer("2").say(raft::Heartbeat{Term{2}, Index{3}, 0});
  // At 4 and 5 nothing stands yet, but nothing of an earlier term can any more.
  const Lines replies = stage.replies(c);
  REQUIRE(replies.size() == 2);
  CHECK(is_error(replies[0], "no_leader", replaced_words));
  CHECK(is_error(replies[1], "no_leader", replaced_words));
  const auto answer = stage.peer("1").take<ForwardReply>();
  REQUIRE(answer.has_value());
  CHECK(answer->what == What::replaced);
}

TEST_CASE("writes: replaced by the same bytes, they are still another's") {
  Stage stage("0");
  stage.lead();
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  raft::AppendEntries append{Term{2}, Index{2}, Term{1}, Index{3}, {}};
  const std::string same = set_command("w", "1");
  append.entries.push_back({Index{3}, Term{2}, EntryKind::command, same});
  stage.peer("2").say(append);
  CHECK(is_error(stage.replies(c).at(0), "no_leader", replaced_words));
}

TEST_CASE("writes: what survives a change of leaders is done, though another leads") {
  Stage stage("0");
  stage.lead();
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  raft::AppendEntries append{Term{2}, Index{3}, Term{1}, Index{4}, {}};
  append.entries.push_back({Index{4}, Term{2}, EntryKind::noop, ""});
  stage.peer("2").say(append);
  CHECK(stage.replies(c) == Lines{R"({"ok":true,"rev":3})"});
}

TEST_CASE("writes: refused conditions and bad numbers are answers of the store") {
  Stage stage("0", 1);
  stage.lead_alone();
  CHECK(stage.ask(set("k", 1)) == R"({"ok":true,"rev":3})");
  CHECK(is_error(stage.ask(set("k", 2, R"(,"if":{"rev":9})")), "condition_failed"));
  CHECK(stage.ask(R"({"op":"incr","key":"k"})") == R"({"ok":true,"value":2,"rev":5})");
  CHECK(stage.ask(R"({"op":"delete","key":"k"})") == R"({"ok":true,"found":true,"rev":6})");
  CHECK(stage.ask(R"({"op":"delete","key":"k"})") == R"({"ok":true,"found":false})");
}

TEST_CASE("writes: a disk that fails ends the node, and nothing is said after it") {
  Stage stage("0");
  stage.lead();
  const ClientId c = stage.client();
  stage.disk_held = true;
  stage.line(c, set("w", 1));
  stage.line(c, get("w"));
  stage.settle();
  stage.disk->fail_call(0, 5);
  stage.run_batch();
  CHECK(stage.env.stopped == 5);
  CHECK(stage.env.count_logged("zatt.0.persist: ") == 1);
  CHECK(stage.env.count_logged("this node stops") == 1);
  const std::size_t calls = stage.env.calls;
  stage.node->flush();
  for (const char* id : {"1", "2"})
    stage.peer(id).say(
        raft::AppendReply{Term{1}, true, Index{3}, Index{3}, {}, {}, {}, DiskSpace::enough});
  stage.peer("1").say(Forward{1, Term{1}, true, set_command("x", "1")});
  stage.line(c, set("w", 2));
  stage.node->on_client_end(c);
  stage.pass_ms(6000);
  stage.node->on_link_down(stage.peer("2").link);
  stage.node->on_link_up(99, std::nullopt);
  stage.node->shut_down();
  stage.node->flush();
  CHECK(stage.env.calls == calls);
  CHECK(stage.node->is_idle());
}

// --- forwards: the asked node's side -------------------------------------------------------------

TEST_CASE("forwards: handed to the leader with its term, and its answer handed back") {
  Stage stage("1");
  stage.follow("0", 7);
  Peer& leader = stage.peer("0");
  const ClientId c = stage.client();
  stage.line(c, set("w", 1, R"(,"id":"a")"));
  stage.line(c, R"({"op":"delete","key":"w"})");
  stage.settle();
  const auto forwards = leader.take_all<Forward>();
  REQUIRE(forwards.size() == 2);
  CHECK(forwards[0].term == Term{7});
  CHECK(forwards[0].grows);
  CHECK_FALSE(forwards[1].grows);
  CHECK(forwards[1].number > forwards[0].number);
  CHECK(forwards[0].command == set_command("w", "1"));
  leader.say(ForwardReply{forwards[1].number, What::result, applied(4)});
  CHECK(stage.replies(c).empty());  // in the order asked
  leader.say(ForwardReply{forwards[0].number, What::result, applied(3)});
  CHECK(stage.replies(c) ==
        Lines{R"({"ok":true,"id":"a","rev":3})", R"({"ok":true,"found":false})"});
  // Said twice is heard once.
  leader.say(ForwardReply{forwards[0].number, What::result, applied(3)});
  leader.say(ForwardReply{1000, What::result, applied(3)});
  CHECK(stage.replies(c).empty());
}

TEST_CASE("forwards: an answer that cannot be read leaves the outcome unknown") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  const auto forward = stage.peer("0").take<Forward>();
  stage.peer("0").say(ForwardReply{forward->number, What::result, "?"});
  CHECK(is_error(stage.replies(c).at(0), "outcome_unknown"));
}

TEST_CASE("forwards: what was not taken goes to the next leader, in order") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  for (int i = 1; i <= 3; ++i) stage.line(c, set("w", i));
  stage.settle();
  const auto forwards = stage.peer("0").take_all<Forward>();
  REQUIRE(forwards.size() == 3);
  stage.follow("2", 2);
  for (const Forward& forward : forwards) {
    CHECK_FALSE(stage.peer("2").take<Forward>().has_value());
    stage.peer("0").say(ForwardReply{forward.number, What::not_taken, {}});
  }
  CHECK(commands_of(stage.peer("2").take_all<Forward>()) ==
        Lines{set_command("w", "1"), set_command("w", "2"), set_command("w", "3")});
}

TEST_CASE("forwards: what was not taken is not sent again to who did not take it") {
  // A leader that has stepped down in its term leads it no more: asking again and again would only
  // keep both busy until the next one is known.
  Stage stage("1");
  stage.follow("0");
  Peer& old = stage.peer("0");
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  std::size_t sent = 0;
  for (int i = 0; i < 20; ++i)
    for (const Forward& forward : old.take_all<Forward>()) {
      ++sent;
      old.say(ForwardReply{forward.number, What::not_taken, {}});
    }
  CHECK(sent == 1);
  stage.follow("2", 2);
  CHECK(commands_of(stage.peer("2").take_all<Forward>()) == Lines{set_command("w", "1")});
}

TEST_CASE("forwards: written without a leader, handed on when there is one") {
  Stage stage("1");
  stage.found();
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  CHECK_FALSE(stage.peer("0").take<Forward>().has_value());
  stage.follow("0");
  CHECK(commands_of(stage.peer("0").take_all<Forward>()) == Lines{set_command("w", "1")});
  CHECK_FALSE(stage.peer("2").take<Forward>().has_value());
  CHECK(stage.replies(c).empty());
}

TEST_CASE("forwards: a client that is gone is not answered, and its write is not undone") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.settle();
  const auto forward = stage.peer("0").take<Forward>();
  stage.node->on_client_closed(c);
  stage.peer("0").say(ForwardReply{forward->number, What::result, applied(3)});
  CHECK(stage.replies(c).empty());
  const ClientId waiting = stage.client();
  stage.peer("0").disconnect();
  stage.line(waiting, set("w", 1));
  stage.settle();
  stage.node->on_client_closed(waiting);
  stage.follow("2", 2);
  CHECK_FALSE(stage.peer("2").take<Forward>().has_value());
}

// --- forwards: the leader's side -----------------------------------------------------------------

TEST_CASE("forwards: taken, committed and answered") {
  Stage stage("0");
  stage.lead();
  Peer& one = stage.peer("1");
  one.say(Forward{1, Term{1}, true, set_command("w", "1")});
  CHECK_FALSE(one.take<ForwardReply>().has_value());
  stage.let_peers_follow();
  const auto answer = one.take<ForwardReply>();
  REQUIRE(answer.has_value());
  CHECK(answer->number == 1);
  CHECK(answer->what == What::result);
  CHECK(answer->result == applied(3));
}

TEST_CASE("forwards: repeated and overtaken numbers are dropped without an answer") {
  Stage stage("0");
  stage.lead();
  Peer& one = stage.peer("1");
  const Index last = stage.node->raft().log().last_index();
  one.say(Forward{5, Term{1}, true, set_command("w", "1")});
  one.say(Forward{5, Term{1}, true, set_command("w", "1")});
  one.say(Forward{4, Term{1}, true, set_command("w", "1")});
  one.say(ReadIndex{5, Term{1}, false});
  CHECK(stage.node->raft().log().last_index() == last + 1);
  stage.let_peers_follow();
  CHECK(one.take_all<ForwardReply>().size() == 1);
  CHECK_FALSE(one.take<ReadIndexReply>().has_value());
  // Numbers are of a connection.
  one.connect();
  one.say(Forward{1, Term{1}, true, set_command("w", "2")});
  CHECK(stage.node->raft().log().last_index() == last + 2);
}

TEST_CASE("forwards: one hop only, a follower forwards no forward") {
  Stage stage("1");
  stage.follow("0");
  stage.peer("2").say(Forward{1, Term{1}, true, set_command("w", "1")});
  CHECK_FALSE(stage.peer("0").take<Forward>().has_value());
  const auto answer = stage.peer("2").take<ForwardReply>();
  REQUIRE(answer.has_value());
  CHECK(answer->what == What::not_taken);
  stage.peer("2").say(ReadIndex{2, Term{1}, false});
  CHECK_FALSE(stage.peer("0").take<ReadIndex>().has_value());
  CHECK_FALSE(stage.peer("2").take<ReadIndexReply>()->confirmed);
}

TEST_CASE("forwards: a full disk refuses growth and lets deletes pass") {
  Stage stage("0");
  stage.lead();
  for (const char* id : {"1", "2"})
    stage.peer(id).say(raft::HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::low});
  REQUIRE(stage.node->raft().room() == DiskSpace::low);
  Peer& one = stage.peer("1");
  one.say(Forward{1, Term{1}, true, set_command("w", "1")});
  CHECK(one.take<ForwardReply>()->what == What::storage_full);
  one.say(Forward{2, Term{1}, false, set_command("w", "1")});
  CHECK_FALSE(one.take<ForwardReply>().has_value());
  const ClientId c = stage.client();
  stage.line(c, set("w", 1));
  stage.line(c, R"({"op":"incr","key":"w"})");
  stage.line(c, R"({"op":"delete","key":"w"})");
  stage.settle();
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[0], "storage_full",
                 "the disk has no room for this; reads go on. Make room on the disk: deleting keys "
                 "makes none"));
  CHECK(is_error(said[1], "storage_full"));
}

TEST_CASE("forwards: where the reserve is used up, deletes are refused too") {
  Stage stage("0");
  stage.lead();
  for (const char* id : {"1", "2"})
    stage.peer(id).say(raft::HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::full});
  Peer& one = stage.peer("1");
  one.say(Forward{1, Term{1}, false, set_command("w", "1")});
  CHECK(one.take<ForwardReply>()->what == What::storage_full);
  const ClientId c = stage.client();
  stage.line(c, R"({"op":"delete","key":"w"})");
  stage.settle();
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 1);
  CHECK(is_error(said[0], "storage_full"));
}

TEST_CASE("forwards: bytes that are no command get an answer and change nothing") {
  Stage stage("0");
  stage.lead();
  stage.peer("1").say(Forward{1, Term{1}, true, "no command"});
  stage.let_peers_follow();
  const auto answer = stage.peer("1").take<ForwardReply>();
  REQUIRE(answer.has_value());
  CHECK(kv::decode_reply(answer->result)->outcome == kv::Outcome::malformed);
}

}  // namespace zatt::node
