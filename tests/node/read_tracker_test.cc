// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "kv/reply.h"
#include "tests/node/reads.h"

namespace zatt::node {
namespace {

using codec::Forward;
using codec::ReadIndex;
using codec::ReadIndexReply;
using test::is_error;
using test::Lines;
using test::NodeFixture;
using test::Peer;
using test::set_command;

std::string present(int value, std::uint64_t rev) {
  return R"({"ok":true,"found":true,"value":)" + std::to_string(value) + R"(,"rev":)" +
         std::to_string(rev) + "}";
}

}  // namespace

TEST_CASE("reads: a lone member answers in the same turn") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  CHECK(fixture.ask(get_k) == absent);
  CHECK(fixture.ask(R"({"op":"set","key":"k","value":1})") == R"({"ok":true,"rev":3})");
  CHECK(fixture.ask(get_k) == present(1, 3));
  CHECK(fixture.ask(R"({"op":"count"})") == R"({"ok":true,"count":1,"at":3})");
  CHECK(fixture.ask(R"({"op":"scan"})") ==
        R"({"ok":true,"items":[{"key":"k","value":1,"rev":3}],"more":false,"at":3})");
}

TEST_CASE("reads: a leader answers once a majority says that it still leads, and not before") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  const auto beat = fixture.peer("1").take<raft::Heartbeat>();
  REQUIRE(beat.has_value());
  // The answer to an earlier question confirms nothing.
  fixture.peer("1").say(
      raft::HeartbeatReply{Term{1}, beat->round - 1, Index{2}, Index{2}, DiskSpace::enough});
  CHECK(fixture.replies(c).empty());
  fixture.peer("1").say(
      raft::HeartbeatReply{Term{1}, beat->round, Index{2}, Index{2}, DiskSpace::enough});
  CHECK(fixture.replies(c) == Lines{absent});
}

TEST_CASE("reads: what waits in one turn is one question") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId a = fixture.client();
  const ClientId b = fixture.client();
  for (int i = 0; i < 3; ++i) {
    fixture.line(a, get_k);
    fixture.line(b, get_k);
  }
  fixture.settle();
  const auto asked = fixture.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].term == Term{1});
  CHECK_FALSE(asked[0].to_log_end);
  confirm(fixture, asked[0], fixture.leader_last);
  CHECK(fixture.replies(a).size() == 3);
  CHECK(fixture.replies(b).size() == 3);
}

TEST_CASE("reads: a follower answers itself, once it has applied what the leader names") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  const auto asked = fixture.peer("0").take<ReadIndex>();
  confirm(fixture, *asked, fixture.leader_last + 1);
  CHECK(fixture.replies(c).empty());
  fixture.leader_appends({set_command("k", "7")});
  CHECK(fixture.replies(c) == Lines{present(7, raw(fixture.leader_last))});
}

TEST_CASE("reads: confirmed, and not caught up with in time: that is not the leader's doing") {
  for (const bool hangs : {false, true}) {
    CAPTURE(hangs);
    NodeFixture fixture("1");
    fixture.follow("0");
    fixture.disk_held = hangs;
    if (hangs) fixture.leader_appends({set_command("k", "7")});
    const ClientId c = fixture.client();
    fixture.line(c, get_k);
    fixture.settle();
    confirm(fixture, *fixture.peer("0").take<ReadIndex>(), fixture.leader_last + 1);
    fixture.pass_ms(5100);
    const Lines said = fixture.replies(c);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "unavailable", "the leader has confirmed the read, and this node"));
    CHECK((said[0].find("its own disk does not answer") != std::string::npos) == hangs);
  }
}

TEST_CASE("reads: the answer tells a follower how far it may apply") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({set_command("k", "7")}, false);
  REQUIRE(fixture.node->last_applied() + 1 == fixture.leader_last);
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  confirm(fixture, *fixture.peer("0").take<ReadIndex>(), fixture.leader_last);
  CHECK(fixture.replies(c) == Lines{present(7, raw(fixture.leader_last))});
}

TEST_CASE("reads: a later read that needs less is not answered from an earlier state") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"set","key":"k","value":1})");
  fixture.line(c, get_k);
  fixture.settle();
  fixture.line(c, R"({"op":"count"})");
  fixture.settle();
  const auto asked = fixture.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  const Index before = fixture.leader_last;
  confirm(fixture, asked[1], before);  // could be answered now: with a count of 0
  confirm(fixture, asked[0], before + 1);
  CHECK(fixture.replies(c).empty());
  fixture.leader_appends({set_command("k", "1")});
  const auto forward = fixture.peer("0").take<Forward>();
  std::string done;
  kv::encode(kv::Reply{kv::Outcome::done, false, raw(before) + 1, {}}, done);
  fixture.peer("0").say(
      codec::ForwardReply{forward->number, codec::ForwardReply::What::result, done});
  const std::string rev = std::to_string(raw(before) + 1);
  CHECK(fixture.replies(c) == Lines{R"({"ok":true,"rev":)" + rev + "}", present(1, raw(before) + 1),
                                    R"({"ok":true,"count":1,"at":)" + rev + "}"});
}

TEST_CASE("reads: another client's read need not wait for that") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId a = fixture.client();
  const ClientId b = fixture.client();
  fixture.line(a, get_k);
  fixture.settle();
  fixture.line(b, get_k);
  fixture.settle();
  const auto asked = fixture.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  confirm(fixture, asked[1], fixture.leader_last);
  CHECK(fixture.replies(a).empty());
  CHECK(fixture.replies(b) == Lines{absent});
}

TEST_CASE("reads: not confirmed, asked again of who leads then, and of nobody before") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& old = fixture.peer("0");
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  std::size_t asked = 0;
  for (int i = 0; i < 20; ++i)
    for (const ReadIndex& read : old.take_all<ReadIndex>()) {
      ++asked;
      old.say(ReadIndexReply{read.number, false, {}, {}, {}});
    }
  CHECK(asked == 1);
  fixture.follow("2", 2);
  const auto again = fixture.peer("2").take<ReadIndex>();
  REQUIRE(again.has_value());
  CHECK(again->term == Term{2});
  fixture.peer("2").say(
      ReadIndexReply{again->number, true, Term{2}, fixture.leader_last, fixture.leader_last});
  CHECK(fixture.replies(c) == Lines{absent});
}

TEST_CASE("reads: the connection they went over is lost, and they are asked again") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  REQUIRE(fixture.peer("0").take<ReadIndex>().has_value());
  fixture.peer("0").disconnect();
  CHECK(fixture.replies(c).empty());
  fixture.follow("2", 2);
  CHECK(fixture.peer("2").take<ReadIndex>().has_value());
}

TEST_CASE("reads: a leader that is deposed before it was confirmed answers none of them") {
  NodeFixture fixture("0");
  fixture.lead();
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  fixture.peer("1").say(ReadIndex{1, Term{1}, false});
  const auto beat = fixture.peer("1").take_all<raft::Heartbeat>();
  REQUIRE_FALSE(beat.empty());
  fixture.follow("2", 2);
  fixture.peer("1").say(
      raft::HeartbeatReply{Term{1}, beat.back().round, Index{2}, Index{2}, DiskSpace::enough});
  CHECK(fixture.replies(c).empty());
  const auto answer = fixture.peer("1").take<ReadIndexReply>();
  REQUIRE(answer.has_value());
  CHECK_FALSE(answer->confirmed);
  CHECK(fixture.peer("2").take<ReadIndex>().has_value());
}

TEST_CASE("reads: an index that the next leader's log does not reach is asked for again") {
  // Confirmed by a leader that lost its log's end afterwards: nothing would ever be applied there.
  SUBCASE("at that leader") {
    NodeFixture fixture("0");
    fixture.lead();
    const ClientId c = fixture.client();
    for (int i = 0; i < 5; ++i)
      fixture.line(c, R"({"op":"set","key":"k","value":1,"timeout_ms":50})");
    fixture.line(c, get_k);
    fixture.settle();
    for (const char* id : {"1", "2"})
      for (const raft::Heartbeat& m : fixture.peer(id).take_all<raft::Heartbeat>())
        fixture.peer(id).say(
            raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
    fixture.pass_ms(60);
    CHECK(fixture.replies(c).size() == 5);
    raft::AppendEntries append{Term{2}, Index{2}, Term{1}, Index{3}, {}};
    append.entries.push_back({Index{3}, Term{2}, 0, EntryKind::noop, ""});
    fixture.peer("2").say(append);
    CHECK(fixture.replies(c).empty());
    const auto again = fixture.peer("2").take<ReadIndex>();
    REQUIRE(again.has_value());
    CHECK(again->to_log_end);
    fixture.peer("2").say(ReadIndexReply{again->number, true, Term{2}, Index{3}, Index{3}});
    CHECK(fixture.replies(c) == Lines{absent});
  }
  SUBCASE("at a follower") {
    NodeFixture fixture("1");
    fixture.follow("0");
    const ClientId c = fixture.client();
    fixture.line(c, get_k);
    fixture.settle();
    confirm(fixture, *fixture.peer("0").take<ReadIndex>(), fixture.leader_last + 9);
    fixture.follow("2", 2);
    const auto again = fixture.peer("2").take<ReadIndex>();
    REQUIRE(again.has_value());
    fixture.peer("2").say(
        ReadIndexReply{again->number, true, Term{2}, fixture.leader_last, fixture.leader_last});
    CHECK(fixture.replies(c) == Lines{absent});
  }
}

TEST_CASE("reads: given up and confirmed ones of one connection do not wait for each other") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  fixture.line(c, get_k);
  fixture.settle();
  const auto asked = fixture.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  confirm(fixture, asked[0], fixture.leader_last + 1);
  fixture.follow("2", 2);  // gives up the first, and reaches the index of both
  confirm(fixture, asked[1], fixture.leader_last);
  const auto again = fixture.peer("2").take_all<ReadIndex>();
  REQUIRE(again.size() == 1);
  fixture.peer("2").say(
      ReadIndexReply{again[0].number, true, Term{2}, fixture.leader_last, fixture.leader_last});
  CHECK(fixture.replies(c) == Lines{absent, absent});
}

TEST_CASE("reads: asked by a follower, answered with an index that is committed") {
  NodeFixture fixture("0");
  fixture.lead();
  Peer& one = fixture.peer("1");
  one.say(codec::Forward{1, Term{1}, true, set_command("k", "1")});
  one.say(ReadIndex{2, Term{1}, true});
  one.say(ReadIndex{3, Term{1}, false});
  one.say(ReadIndex{4, Term{2}, false});
  const auto refused = one.take<ReadIndexReply>();
  REQUIRE(refused.has_value());
  CHECK(refused->number == 4);
  CHECK_FALSE(refused->confirmed);
  for (int i = 0; i < 3; ++i)  // leadership alone is confirmed
    for (const raft::Heartbeat& m : fixture.peer("2").take_all<raft::Heartbeat>())
      fixture.peer("2").say(
          raft::HeartbeatReply{m.term, m.round, Index{2}, Index{2}, DiskSpace::enough});
  const auto at_commit = one.take_all<ReadIndexReply>();
  REQUIRE(at_commit.size() == 1);
  CHECK(at_commit[0].number == 3);
  CHECK(at_commit[0].index == Index{2});
  fixture.let_peers_follow();
  const auto at_end = one.take<ReadIndexReply>();
  REQUIRE(at_end.has_value());
  CHECK(at_end->number == 2);
  CHECK(at_end->confirmed);
  CHECK(at_end->index == Index{3});
  CHECK(at_end->term == Term{1});
}

TEST_CASE("reads: asked by a follower, answered before the leader itself has applied so far") {
  struct : Instrumentation {
    bool delays = false;
    void hit(CoveragePoint) override {}
    bool inject(FaultPoint point) override { return delays && point == FaultPoint::delay_apply; }
  } faults;
  NodeFixture fixture("0");
  fixture.options.instrumentation = &faults;
  fixture.lead();
  faults.delays = true;
  Peer& one = fixture.peer("1");
  one.say(codec::Forward{1, Term{1}, true, set_command("k", "1")});
  fixture.let_peers_follow();
  REQUIRE(fixture.node->raft().commit_index() == Index{3});
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  one.say(ReadIndex{2, Term{1}, false});
  fixture.let_peers_follow();
  const auto answer = one.take<ReadIndexReply>();
  REQUIRE(answer.has_value());
  CHECK(answer->confirmed);
  CHECK(answer->index == Index{3});
  CHECK(answer->commit == Index{3});
  CHECK(fixture.node->last_applied() == Index{2});
  CHECK(fixture.replies(c).empty());  // a read of its own waits
  faults.delays = false;
  fixture.pass_ms(100);
  CHECK(fixture.replies(c) == Lines{present(1, 3)});
}

TEST_CASE("reads: stale ones are answered at once, from what is there, with or without a leader") {
  const std::string stale = R"({"op":"get","key":"k","stale":true})";
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({set_command("k", "1")});
  fixture.leader_appends({set_command("k", "2")}, false);
  const std::uint64_t rev = raw(fixture.leader_last) - 1;
  const std::string said =
      R"({"ok":true,"found":true,"value":1,"rev":)" + std::to_string(rev) + R"(,"stale":true})";
  CHECK(fixture.ask(stale) == said);
  fixture.peer("0").disconnect();
  fixture.peer("2").disconnect();
  CHECK(fixture.ask(stale) == said);
  CHECK(fixture.ask(R"({"op":"count","stale":true})").find("\"stale\":true") != std::string::npos);
  CHECK(fixture.ask(R"({"op":"scan","stale":true})").find("\"stale\":true") != std::string::npos);
}

TEST_CASE("reads: no leader, or one that cannot be confirmed") {
  const std::string get = R"({"op":"get","key":"k","timeout_ms":50})";
  SUBCASE("a follower whose leader does not answer") {
    NodeFixture fixture("1");
    fixture.follow("0");
    const ClientId c = fixture.client();
    fixture.line(c, get);
    fixture.settle();
    fixture.pass_ms(60);
    const Lines said = fixture.replies(c);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "unavailable", "could not confirm in time that it still leads"));
    // A late answer is nobody's.
    confirm(fixture, *fixture.peer("0").take<ReadIndex>(), fixture.leader_last);
    CHECK(fixture.replies(c).empty());
  }
  SUBCASE("a leader that nobody answers") {
    NodeFixture fixture("0");
    fixture.lead();
    const ClientId c = fixture.client();
    fixture.line(c, get);
    fixture.settle();
    fixture.pass_ms(60);
    CHECK(is_error(fixture.replies(c).at(0), "unavailable"));
  }
  SUBCASE("nobody leads") {
    NodeFixture fixture("1");
    fixture.found();
    const ClientId c = fixture.client();
    fixture.line(c, get);
    fixture.settle();
    fixture.pass_ms(60);
    CHECK(is_error(fixture.replies(c).at(0), "no_leader", "the members are electing a leader"));
  }
}

TEST_CASE("reads: answered once all that was committed has been read back from the disk") {
  NodeFixture fixture("1");
  fixture.options.max_log_bytes = 1;  // what is older than the last entry is on disk only
  fixture.follow("0");
  const std::string big = '"' + std::string(3000, 'x') + '"';
  fixture.leader_appends({set_command("w", "1"), set_command("big", big)});
  fixture.settle();
  REQUIRE(fixture.node->last_applied() == fixture.leader_last);
  fixture.close();
  REQUIRE(fixture.open());
  for (auto& [id, other] : fixture.peers) other->connect();

  fixture.disk_held = true;
  const Index last = fixture.node->raft().log().last_index();
  raft::AppendEntries append{Term{1}, last, Term{1}, last, {}};
  fixture.peer("0").say(append);
  fixture.settle();
  REQUIRE(fixture.node->raft().commit_index() == last);
  REQUIRE(fixture.node->last_applied() < last);
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"get","key":"w"})");
  fixture.settle();
  const auto asked = fixture.peer("0").take<ReadIndex>();
  REQUIRE(asked.has_value());
  fixture.peer("0").say(ReadIndexReply{asked->number, true, Term{1}, last, last});
  CHECK(fixture.replies(c).empty());
  fixture.disk_held = false;
  fixture.settle();
  CHECK(fixture.node->last_applied() == last);
  CHECK(fixture.replies(c).size() == 1);
}

}  // namespace zatt::node
