// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/node/reads.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "kv/reply.h"

namespace zatt::node {
namespace {

using codec::Forward;
using codec::ReadIndex;
using codec::ReadIndexReply;
using test::is_error;
using test::Lines;
using test::Peer;
using test::set_command;
using test::Stage;

std::string present(int value, std::uint64_t rev) {
  return R"({"ok":true,"found":true,"value":)" + std::to_string(value) + R"(,"rev":)" +
         std::to_string(rev) + "}";
}

}  // namespace

TEST_CASE("reads: a lone member answers in the same turn") {
  Stage stage("0", 1);
  stage.lead_alone();
  CHECK(stage.ask(get_k) == absent);
  CHECK(stage.ask(R"({"op":"set","key":"k","value":1})") == R"({"ok":true,"rev":3})");
  CHECK(stage.ask(get_k) == present(1, 3));
  CHECK(stage.ask(R"({"op":"count"})") == R"({"ok":true,"count":1,"at":3})");
  CHECK(stage.ask(R"({"op":"scan"})") ==
        R"({"ok":true,"items":[{"key":"k","value":1,"rev":3}],"more":false,"at":3})");
}

TEST_CASE("reads: a leader answers once a majority says that it still leads, and not before") {
  Stage stage("0");
  stage.lead();
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  CHECK(stage.replies(c).empty());
  const auto beat = stage.peer("1").take<raft::Heartbeat>();
  REQUIRE(beat.has_value());
  // The answer to an earlier question confirms nothing.
  stage.peer("1").say(
      raft::HeartbeatReply{Term{1}, beat->round - 1, Index{2}, Index{2}, DiskSpace::enough});
  CHECK(stage.replies(c).empty());
  stage.peer("1").say(
      raft::HeartbeatReply{Term{1}, beat->round, Index{2}, Index{2}, DiskSpace::enough});
  CHECK(stage.replies(c) == Lines{absent});
}

TEST_CASE("reads: what waits in one turn is one question") {
  Stage stage("1");
  stage.follow("0");
  const ClientId a = stage.client();
  const ClientId b = stage.client();
  for (int i = 0; i < 3; ++i) {
    stage.line(a, get_k);
    stage.line(b, get_k);
  }
  stage.settle();
  const auto asked = stage.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].term == Term{1});
  CHECK_FALSE(asked[0].to_log_end);
  confirm(stage, asked[0], stage.leader_last);
  CHECK(stage.replies(a).size() == 3);
  CHECK(stage.replies(b).size() == 3);
}

TEST_CASE("reads: a follower answers itself, once it has applied what the leader names") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  const auto asked = stage.peer("0").take<ReadIndex>();
  confirm(stage, *asked, stage.leader_last + 1);
  CHECK(stage.replies(c).empty());
  stage.leader_appends({set_command("k", "7")});
  CHECK(stage.replies(c) == Lines{present(7, raw(stage.leader_last))});
}

TEST_CASE("reads: confirmed, and not caught up with in time: that is not the leader's doing") {
  for (const bool hangs : {false, true}) {
    CAPTURE(hangs);
    Stage stage("1");
    stage.follow("0");
    stage.disk_held = hangs;
    if (hangs) stage.leader_appends({set_command("k", "7")});
    const ClientId c = stage.client();
    stage.line(c, get_k);
    stage.settle();
    confirm(stage, *stage.peer("0").take<ReadIndex>(), stage.leader_last + 1);
    stage.pass_ms(5100);
    const Lines said = stage.replies(c);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "unavailable", "the leader has confirmed the read, and this node"));
    CHECK((said[0].find("its own disk does not answer") != std::string::npos) == hangs);
  }
}

TEST_CASE("reads: the answer tells a follower how far it may apply") {
  Stage stage("1");
  stage.follow("0");
  stage.leader_appends({set_command("k", "7")}, false);
  REQUIRE(stage.node->last_applied() + 1 == stage.leader_last);
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  confirm(stage, *stage.peer("0").take<ReadIndex>(), stage.leader_last);
  CHECK(stage.replies(c) == Lines{present(7, raw(stage.leader_last))});
}

TEST_CASE("reads: a later read that needs less is not answered from an earlier state") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, R"({"op":"set","key":"k","value":1})");
  stage.line(c, get_k);
  stage.settle();
  stage.line(c, R"({"op":"count"})");
  stage.settle();
  const auto asked = stage.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  const Index before = stage.leader_last;
  confirm(stage, asked[1], before);  // could be answered now: with a count of 0
  confirm(stage, asked[0], before + 1);
  CHECK(stage.replies(c).empty());
  stage.leader_appends({set_command("k", "1")});
  const auto forward = stage.peer("0").take<Forward>();
  std::string done;
  kv::encode(kv::Reply{kv::Outcome::done, false, raw(before) + 1, {}}, done);
  stage.peer("0").say(
      codec::ForwardReply{forward->number, codec::ForwardReply::What::result, done});
  const std::string rev = std::to_string(raw(before) + 1);
  CHECK(stage.replies(c) == Lines{R"({"ok":true,"rev":)" + rev + "}", present(1, raw(before) + 1),
                                  R"({"ok":true,"count":1,"at":)" + rev + "}"});
}

TEST_CASE("reads: another client's read need not wait for that") {
  Stage stage("1");
  stage.follow("0");
  const ClientId a = stage.client();
  const ClientId b = stage.client();
  stage.line(a, get_k);
  stage.settle();
  stage.line(b, get_k);
  stage.settle();
  const auto asked = stage.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  confirm(stage, asked[1], stage.leader_last);
  CHECK(stage.replies(a).empty());
  CHECK(stage.replies(b) == Lines{absent});
}

TEST_CASE("reads: not confirmed, asked again of who leads then, and of nobody before") {
  Stage stage("1");
  stage.follow("0");
  Peer& old = stage.peer("0");
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  std::size_t asked = 0;
  for (int i = 0; i < 20; ++i)
    for (const ReadIndex& read : old.take_all<ReadIndex>()) {
      ++asked;
      old.say(ReadIndexReply{read.number, false, {}, {}, {}});
    }
  CHECK(asked == 1);
  stage.follow("2", 2);
  const auto again = stage.peer("2").take<ReadIndex>();
  REQUIRE(again.has_value());
  CHECK(again->term == Term{2});
  stage.peer("2").say(
      ReadIndexReply{again->number, true, Term{2}, stage.leader_last, stage.leader_last});
  CHECK(stage.replies(c) == Lines{absent});
}

TEST_CASE("reads: the connection they went over is lost, and they are asked again") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  REQUIRE(stage.peer("0").take<ReadIndex>().has_value());
  stage.peer("0").disconnect();
  CHECK(stage.replies(c).empty());
  stage.follow("2", 2);
  CHECK(stage.peer("2").take<ReadIndex>().has_value());
}

TEST_CASE("reads: a leader that is deposed before it was confirmed answers none of them") {
  Stage stage("0");
  stage.lead();
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  stage.peer("1").say(ReadIndex{1, Term{1}, false});
  const auto beat = stage.peer("1").take_all<raft::Heartbeat>();
  REQUIRE_FALSE(beat.empty());
  stage.follow("2", 2);
  stage.peer("1").say(
      raft::HeartbeatReply{Term{1}, beat.back().round, Index{2}, Index{2}, DiskSpace::enough});
  CHECK(stage.replies(c).empty());
  const auto answer = stage.peer("1").take<ReadIndexReply>();
  REQUIRE(answer.has_value());
  CHECK_FALSE(answer->confirmed);
  CHECK(stage.peer("2").take<ReadIndex>().has_value());
}

TEST_CASE("reads: an index that the next leader's log does not reach is asked for again") {
  // Confirmed by a leader that lost its log's end afterwards: nothing would ever be applied there.
  SUBCASE("at that leader") {
    Stage stage("0");
    stage.lead();
    const ClientId c = stage.client();
    for (int i = 0; i < 5; ++i)
      stage.line(c, R"({"op":"set","key":"k","value":1,"timeout_ms":50})");
    stage.line(c, get_k);
    stage.settle();
    for (const char* id : {"1", "2"})
      for (const raft::Heartbeat& m : stage.peer(id).take_all<raft::Heartbeat>())
        stage.peer(id).say(
            raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
    stage.pass_ms(60);
    CHECK(stage.replies(c).size() == 5);
    raft::AppendEntries append{Term{2}, Index{2}, Term{1}, Index{3}, {}};
    append.entries.push_back({Index{3}, Term{2}, EntryKind::noop, ""});
    stage.peer("2").say(append);
    CHECK(stage.replies(c).empty());
    const auto again = stage.peer("2").take<ReadIndex>();
    REQUIRE(again.has_value());
    CHECK(again->to_log_end);
    stage.peer("2").say(ReadIndexReply{again->number, true, Term{2}, Index{3}, Index{3}});
    CHECK(stage.replies(c) == Lines{absent});
  }
  SUBCASE("at a follower") {
    Stage stage("1");
    stage.follow("0");
    const ClientId c = stage.client();
    stage.line(c, get_k);
    stage.settle();
    confirm(stage, *stage.peer("0").take<ReadIndex>(), stage.leader_last + 9);
    stage.follow("2", 2);
    const auto again = stage.peer("2").take<ReadIndex>();
    REQUIRE(again.has_value());
    stage.peer("2").say(
        ReadIndexReply{again->number, true, Term{2}, stage.leader_last, stage.leader_last});
    CHECK(stage.replies(c) == Lines{absent});
  }
}

TEST_CASE("reads: given up and confirmed ones of one connection do not wait for each other") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  stage.line(c, get_k);
  stage.settle();
  const auto asked = stage.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  confirm(stage, asked[0], stage.leader_last + 1);
  stage.follow("2", 2);  // gives up the first, and reaches the index of both
  confirm(stage, asked[1], stage.leader_last);
  const auto again = stage.peer("2").take_all<ReadIndex>();
  REQUIRE(again.size() == 1);
  stage.peer("2").say(
      ReadIndexReply{again[0].number, true, Term{2}, stage.leader_last, stage.leader_last});
  CHECK(stage.replies(c) == Lines{absent, absent});
}

TEST_CASE("reads: asked by a follower, answered with an index that has been applied") {
  Stage stage("0");
  stage.lead();
  Peer& one = stage.peer("1");
  one.say(codec::Forward{1, Term{1}, true, set_command("k", "1")});
  one.say(ReadIndex{2, Term{1}, true});
  one.say(ReadIndex{3, Term{1}, false});
  one.say(ReadIndex{4, Term{2}, false});
  const auto refused = one.take<ReadIndexReply>();
  REQUIRE(refused.has_value());
  CHECK(refused->number == 4);
  CHECK_FALSE(refused->confirmed);
  for (int i = 0; i < 3; ++i)  // leadership alone is confirmed
    for (const raft::Heartbeat& m : stage.peer("2").take_all<raft::Heartbeat>())
      stage.peer("2").say(
          raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
  const auto at_commit = one.take_all<ReadIndexReply>();
  REQUIRE(at_commit.size() == 1);
  CHECK(at_commit[0].number == 3);
  CHECK(at_commit[0].index == Index{2});
  stage.let_peers_follow();
  const auto at_end = one.take<ReadIndexReply>();
  REQUIRE(at_end.has_value());
  CHECK(at_end->number == 2);
  CHECK(at_end->confirmed);
  CHECK(at_end->index == Index{3});
  CHECK(at_end->term == Term{1});
}

TEST_CASE("reads: stale ones are answered at once, from what is there, with or without a leader") {
  const std::string stale = R"({"op":"get","key":"k","stale":true})";
  Stage stage("1");
  stage.follow("0");
  stage.leader_appends({set_command("k", "1")});
  stage.leader_appends({set_command("k", "2")}, false);
  const std::uint64_t rev = raw(stage.leader_last) - 1;
  const std::string said =
      R"({"ok":true,"found":true,"value":1,"rev":)" + std::to_string(rev) + R"(,"stale":true})";
  CHECK(stage.ask(stale) == said);
  stage.peer("0").disconnect();
  stage.peer("2").disconnect();
  CHECK(stage.ask(stale) == said);
  CHECK(stage.ask(R"({"op":"count","stale":true})").find("\"stale\":true") != std::string::npos);
  CHECK(stage.ask(R"({"op":"scan","stale":true})").find("\"stale\":true") != std::string::npos);
}

TEST_CASE("reads: no leader, or one that cannot be confirmed") {
  const std::string get = R"({"op":"get","key":"k","timeout_ms":50})";
  SUBCASE("a follower whose leader does not answer") {
    Stage stage("1");
    stage.follow("0");
    const ClientId c = stage.client();
    stage.line(c, get);
    stage.settle();
    stage.pass_ms(60);
    const Lines said = stage.replies(c);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "unavailable", "could not confirm in time that it still leads"));
    // A late answer is nobody's.
    confirm(stage, *stage.peer("0").take<ReadIndex>(), stage.leader_last);
    CHECK(stage.replies(c).empty());
  }
  SUBCASE("a leader that nobody answers") {
    Stage stage("0");
    stage.lead();
    const ClientId c = stage.client();
    stage.line(c, get);
    stage.settle();
    stage.pass_ms(60);
    CHECK(is_error(stage.replies(c).at(0), "unavailable"));
  }
  SUBCASE("nobody leads") {
    Stage stage("1");
    stage.found();
    const ClientId c = stage.client();
    stage.line(c, get);
    stage.settle();
    stage.pass_ms(60);
    CHECK(is_error(stage.replies(c).at(0), "no_leader", "the members are electing a leader"));
  }
}

TEST_CASE("reads: answered once all that was committed has been read back from the disk") {
  Stage stage("1");
  stage.options.max_log_bytes = 1;  // what is older than the last entry is on disk only
  stage.follow("0");
  const std::string big = '"' + std::string(3000, 'x') + '"';
  stage.leader_appends({set_command("w", "1"), set_command("big", big)});
  stage.settle();
  REQUIRE(stage.node->last_applied() == stage.leader_last);
  stage.close();
  REQUIRE(stage.open());
  for (auto& [id, other] : stage.peers) other->connect();

  stage.disk_held = true;
  const Index last = stage.node->raft().log().last_index();
  raft::AppendEntries append{Term{1}, last, Term{1}, last, {}};
  stage.peer("0").say(append);
  stage.settle();
  REQUIRE(stage.node->raft().commit_index() == last);
  REQUIRE(stage.node->last_applied() < last);
  const ClientId c = stage.client();
  stage.line(c, R"({"op":"get","key":"w"})");
  stage.settle();
  const auto asked = stage.peer("0").take<ReadIndex>();
  REQUIRE(asked.has_value());
  stage.peer("0").say(ReadIndexReply{asked->number, true, Term{1}, last, last});
  CHECK(stage.replies(c).empty());
  stage.disk_held = false;
  stage.settle();
  CHECK(stage.node->last_applied() == last);
  CHECK(stage.replies(c).size() == 1);
}

}  // namespace zatt::node
