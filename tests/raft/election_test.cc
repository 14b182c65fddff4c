// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft/election.cc: votes asked for, granted and counted.
#include <doctest/doctest.h>

#include "base/prng.h"
#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

constexpr std::uint64_t timeout = 600'000;

}  // namespace

TEST_CASE("election: the timeout is drawn anew, from one timeout up to two") {
  OneServer server;
  std::set<std::uint64_t> drawn;
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t wait = server.raft.wake_at_us() - server.now_us;
    CHECK(wait >= timeout);
    CHECK(wait <= 2 * timeout);
    drawn.insert(wait);
    server.fire();
  }
  CHECK(drawn.size() > 40);
}

TEST_CASE("pre-vote: asks in the next term, and takes none") {
  OneServer server;
  server.fire();
  CHECK(server.is_pre_candidate());
  CHECK(server.raft.current_term() == Term{0});
  CHECK(server.output.write == WriteNumber{});
  const auto asked = server.sent<RequestVote>();
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].pre_vote);
  CHECK(asked[0].term == Term{1});
  CHECK(asked[0].last_log_index == Index{1});
  // An answer for another term is not for this question.
  server.receive("2", VoteReply{Term{2}, true, true});
  CHECK(server.is_pre_candidate());
  server.receive("2", VoteReply{Term{1}, true, true});
  CHECK(server.is_candidate());
  CHECK(server.raft.current_term() == Term{1});
}

TEST_CASE("pre-vote: answering changes nothing but the reply") {
  struct Row {
    const char* why;
    RequestVote request;
    bool granted;
  };
  const Row rows[] = {
      {"as good a log", pre_vote(4, 2, 3), true},
      {"a better one", pre_vote(9, 1, 4), true},
      {"a shorter one", pre_vote(4, 1, 3), false},
      {"of an older term, though longer", pre_vote(4, 9, 2), false},
      {"not above our term", pre_vote(3, 9, 9), false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    OneServer server({command(2, 3)}, {Term{3}, std::nullopt});
    const std::uint64_t wake = server.raft.wake_at_us();
    server.now_us += 1000;
    server.receive("2", row.request);
    const auto replies = server.sent<VoteReply>("2");
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].pre_vote);
    CHECK(replies[0].granted == row.granted);
    CHECK(replies[0].term == (row.granted ? row.request.term : Term{3}));
    CHECK(server.output.write == WriteNumber{});
    CHECK(server.raft.current_term() == Term{3});
    CHECK(!server.raft.voted_for());
    CHECK(server.raft.wake_at_us() == wake);
    CHECK(!server.raft.leader());
  }
}

TEST_CASE("pre-vote: refused while the leader is heard, granted when it is silent or gone") {
  OneServer server;
  server.receive("2", Heartbeat{Term{1}, Index{0}, 0});
  server.persist();
  server.now_us += timeout - 1;
  server.receive("3", pre_vote(2));
  CHECK(!server.sent<VoteReply>().at(0).granted);
  server.now_us += 1;
  server.receive("3", pre_vote(2));
  CHECK(server.sent<VoteReply>().at(0).granted);

  server.receive("2", Heartbeat{Term{1}, Index{0}, 0});
  server.step(PeerDown{peer("3")});  // another's connection: nothing to conclude
  server.receive("3", pre_vote(2));
  CHECK(!server.sent<VoteReply>().at(0).granted);
  server.step(PeerDown{peer("2")});
  CHECK(server.raft.wake_at_us() <= server.now_us + timeout / 10);  // looks for another at once
  server.receive("3", pre_vote(2));
  CHECK(server.sent<VoteReply>().at(0).granted);
}

TEST_CASE("pre-vote: a leader refuses, and keeps its term") {
  OneServer server;
  server.elect();
  server.receive("3", pre_vote(2, 9, 9));
  CHECK(!server.sent<VoteReply>().at(0).granted);
  CHECK(server.raft.is_leader());
}

TEST_CASE("pre-vote: a server that is itself asking refuses nobody for it") {
  OneServer server;
  server.receive("2", Heartbeat{Term{1}, Index{0}, 0});
  server.persist();
  server.fire();
  REQUIRE(server.is_pre_candidate());
  server.receive("3", pre_vote(2));
  CHECK(server.sent<VoteReply>().at(0).granted);
}

TEST_CASE("vote: said only once it is durable, and again to the same candidate") {
  OneServer server;
  server.receive("2", vote(1));
  CHECK(server.output.messages.empty());
  REQUIRE(server.output.hard_state);
  CHECK(*server.output.hard_state == HardState{Term{1}, peer("2")});
  server.persist();
  REQUIRE(server.sent<VoteReply>("2").size() == 1);
  CHECK(server.sent<VoteReply>("2")[0].granted);
  // Its reply was lost: asked again, it says so again, and writes nothing.
  server.receive("2", vote(1));
  CHECK(server.output.write == WriteNumber{});
  CHECK(server.sent<VoteReply>("2").at(0).granted);
  server.receive("3", vote(1, 9, 9));
  CHECK(!server.sent<VoteReply>("3").at(0).granted);
  CHECK(server.raft.voted_for() == peer("2"));
}

TEST_CASE("vote: a promise of an overtaken term is not said late") {
  OneServer server;
  server.receive("2", vote(1));
  const WriteNumber first = server.last_write;
  server.receive("3", vote(2));
  server.step(Persisted{first});
  CHECK(server.output.messages.empty());
  server.persist();
  REQUIRE(server.output.messages.size() == 1);
  CHECK(server.sent<VoteReply>("3").at(0).term == Term{2});
}

TEST_CASE("vote: the same id with a new directory is another candidate") {
  OneServer server;
  server.receive("2", vote(1));
  server.persist();
  const Message request = vote(1);
  server.step(Received{{"2", 99}, &request});
  REQUIRE(server.output.messages.size() == 1);
  CHECK(!server.sent<VoteReply>().at(0).granted);
}

TEST_CASE("candidate: its own vote counts once durable, and nobody hears of it before") {
  OneServer server;
  server.fire();
  server.receive("2", VoteReply{Term{1}, true, true});
  REQUIRE(server.is_candidate());
  CHECK(server.output.messages.empty());
  CHECK(*server.output.hard_state == HardState{Term{1}, peer("1")});
  server.receive("2", VoteReply{Term{1}, true, false});  // one of three: its own is not there yet
  CHECK(server.is_candidate());
  server.persist();
  CHECK(server.sent<RequestVote>().size() == 2);
  CHECK(server.raft.is_leader());
}

TEST_CASE("candidate: without a majority it asks again, with PreVote first") {
  OneServer server;
  server.fire();
  server.receive("2", VoteReply{Term{1}, true, true});
  server.persist();
  server.fire();
  CHECK(server.is_pre_candidate());
  CHECK(server.raft.current_term() == Term{1});
}

TEST_CASE("tally: against an oracle, with doubles, strangers, learners and other terms") {
  Prng prng(11);
  for (int round = 0; round < 300; ++round) {
    OneServer server(voters({"1", "2", "3", "4", "5"}, {"6", "7"}));
    server.fire();
    server.receive("2", VoteReply{Term{1}, true, true});
    server.receive("3", VoteReply{Term{1}, true, true});
    server.persist();
    REQUIRE(server.is_candidate());
    std::set<std::string> granted;
    for (int i = 0; i < 12 && server.is_candidate(); ++i) {
      const std::string from = std::to_string(prng.between(2, 9));  // 8 and 9: unknown
      const std::uint64_t term = prng.between(0, 1);
      const bool yes = prng.chance(2, 3);
      const bool pre = yes && prng.chance(1, 4);
      server.receive(from, VoteReply{Term{term}, yes, pre});
      if (term == 1 && yes && !pre && from <= "5") granted.insert(from);
      REQUIRE(server.raft.is_leader() == (granted.size() >= 2));
    }
  }
}

TEST_CASE("leader: begins with an entry of its own term, sent and written at the same time") {
  OneServer server;
  server.fire();
  server.receive("2", VoteReply{Term{1}, true, true});
  server.persist();
  server.receive("2", VoteReply{Term{1}, true, false});
  REQUIRE(server.raft.is_leader());
  REQUIRE(server.output.append.size() == 1);
  CHECK(server.output.append[0].kind == EntryKind::noop);
  CHECK(server.output.append[0].term == Term{1});
  CHECK(server.sent<AppendEntries>().size() == 2);
  CHECK(server.sent<Heartbeat>().size() == 2);
}

TEST_CASE("check quorum: a leader that hears no majority for a timeout steps down") {
  OneServer server(voters({"1", "2", "3", "4", "5"}));
  server.elect({"2", "3", "4", "5"});
  server.persist();
  for (int i = 0; i < 20; ++i) {  // two of four are enough
    server.fire();
    server.receive("2", HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::enough});
    server.receive("3", HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::enough});
    REQUIRE(server.raft.is_leader());
  }
  const std::uint64_t since = server.now_us;
  while (server.raft.is_leader()) {
    server.fire();
    server.receive("2", HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::enough});
    REQUIRE(server.now_us - since <= 2 * timeout + timeout / 5);
  }
  CHECK(server.is_follower());
  CHECK(server.raft.current_term() == Term{1});
  CHECK(server.raft.wake_at_us() >= server.now_us + timeout);
}

TEST_CASE("who does not vote never campaigns, not when told to either") {
  Configuration configuration = voters({"2", "3"}, {"1"});
  std::swap(configuration.members[0], configuration.members[2]);
  std::swap(configuration.members[1], configuration.members[2]);
  OneServer server(configuration);
  server.now_us += 100 * timeout;
  server.step(Tick{});
  CHECK(server.is_follower());
  CHECK(server.output.messages.empty());
  server.receive("2", Heartbeat{Term{1}, Index{0}, 0});
  server.persist();
  server.receive("2", TimeoutNow{Term{1}});
  CHECK(server.is_follower());
  CHECK(server.raft.wake_at_us() == UINT64_MAX);
}

TEST_CASE("TimeoutNow: campaigns at once in this term only, without PreVote") {
  OneServer server;
  server.receive("2", Heartbeat{Term{3}, Index{0}, 0});
  server.persist();
  server.receive("2", TimeoutNow{Term{2}});
  CHECK(server.is_follower());
  server.receive("2", TimeoutNow{Term{3}});
  CHECK(server.is_candidate());
  CHECK(server.raft.current_term() == Term{4});
  server.persist();
  REQUIRE(server.sent<RequestVote>().size() == 2);
  CHECK(!server.sent<RequestVote>()[0].pre_vote);
}

TEST_CASE("vote: who campaigns or leads in a term gives it to no longer log of that term") {
  const auto refuses = [](OneServer& server) {
    const Term term = server.raft.current_term();
    const auto voted_for = server.raft.voted_for();
    const auto role = server.raft.role().index();
    const Index last = server.raft.log().last_index();
    server.receive("2", vote(raw(term), 999, raw(term)));
    REQUIRE(server.sent<VoteReply>().size() == 1);
    CHECK(!server.sent<VoteReply>().at(0).granted);
    CHECK(server.sent<VoteReply>().at(0).term == term);
    CHECK(server.raft.current_term() == term);
    CHECK(server.raft.voted_for() == voted_for);
    CHECK(server.raft.role().index() == role);
    CHECK(server.raft.log().last_index() == last);
  };
  SUBCASE("a leader") {
    OneServer server;
    server.elect();
    REQUIRE(server.raft.is_leader());
    server.persist();
    refuses(server);
  }
  SUBCASE("a candidate") {
    OneServer server;
    server.fire();
    server.receive("2", VoteReply{server.raft.current_term() + 1, true, true});
    server.persist();
    REQUIRE(std::holds_alternative<Candidate>(server.raft.role()));
    refuses(server);
  }
}

}  // namespace zatt::raft
