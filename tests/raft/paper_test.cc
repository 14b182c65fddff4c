// SPDX-License-Identifier: AGPL-3.0-or-later
// Figure 2 of the extended Raft paper, rule by rule. Each SUBCASE is one rule, in our words; where
// we say more than the paper does (PreVote, a separate heartbeat, durable before said) it is noted.
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"
#include "tests/support/raft_cluster.h"

namespace zatt::raft {
namespace {

// MemberId 1 in term 3: its log is 0 (configuration), 1, 1, 3.
OneServer follower() {
  return OneServer({command(2, 1, "a"), command(3, 1, "b"), command(4, 3, "c")},
                   {Term{3}, std::nullopt});
}

}  // namespace

TEST_CASE("figure 2, state: what is persistent") {
  SUBCASE("current_term and voted_for are on disk before any message rests on them") {
    OneServer server = follower();
    server.receive("2", RequestVote{Term{4}, Index{4}, Term{3}, false});
    CHECK(server.output.hard_state == HardState{Term{4}, peer("2")});
    CHECK(server.output.messages.empty());
    server.persist();
    CHECK(server.output.messages.size() == 1);
  }
  SUBCASE("log[]: entries are on disk before they are acknowledged") {
    OneServer server = follower();
    server.receive("2", append_of(3, 4, 3, {command(5, 3)}));
    CHECK(server.output.append.size() == 1);
    CHECK(server.output.messages.empty());
    server.persist();
    CHECK(server.sent<AppendReply>().at(0).match_index == Index{5});
  }
  SUBCASE("after a crash they are what they were, and what is volatile begins anew") {
    test::RaftCluster cluster({"1", "2", "3"});
    REQUIRE(cluster.elect("1"));
    cluster.propose("1", {"x"});
    cluster.settle();
    const Term term = cluster.at("2").current_term();
    const auto voted_for = cluster.at("2").voted_for();
    REQUIRE(voted_for == cluster.server("1"));
    cluster.crash("2");
    cluster.start("2");
    CHECK(cluster.at("2").current_term() == term);
    CHECK(cluster.at("2").voted_for() == voted_for);
    CHECK(cluster.at("2").log().last_index() == Index{3});
    CHECK(cluster.at("2").commit_index() == Index{0});
    CHECK(cluster.violations().empty());
  }
  SUBCASE("a leader's next_index begins behind its last entry, match_index at 0") {
    OneServer server = follower();
    server.elect();
    CHECK(server.progress("2").next_index == Index{5});  // before its own no-op at 5
    CHECK(server.progress("2").match_index == Index{0});
  }
}

TEST_CASE("figure 2, AppendEntries: the receiver") {
  OneServer server = follower();
  SUBCASE("1. false if its term is below current_term") {
    server.receive("2", append_of(2, 4, 3, {command(5, 2)}, 4));
    const AppendReply reply = server.sent<AppendReply>("2").at(0);
    CHECK(!reply.success);
    CHECK(reply.term == Term{3});
    CHECK(server.raft.log().last_index() == Index{4});
    CHECK(server.raft.commit_index() == Index{0});
  }
  SUBCASE("2. false if the log has no entry at prev_log_index with prev_log_term") {
    SUBCASE("none at all") { server.receive("2", append_of(3, 7, 3, {command(8, 3)})); }
    SUBCASE("another term") { server.receive("2", append_of(3, 4, 2, {command(5, 3)})); }
    CHECK(!server.sent<AppendReply>("2").at(0).success);
    CHECK(server.raft.log().last_index() == Index{4});
    CHECK(server.output.write == WriteNumber{});
  }
  SUBCASE("3. an entry in conflict with a new one goes, and all behind it") {
    server.receive("2", append_of(4, 2, 1, {command(3, 4)}));
    CHECK(server.output.truncate == Index{2});
    CHECK(server.raft.log().last_index() == Index{3});
    CHECK(server.raft.log().term_at(Index{3}) == Term{4});
  }
  SUBCASE("3. and without a conflict nothing goes") {
    server.receive("2", append_of(3, 1, 0, {command(2, 1, "a")}));
    CHECK(!server.output.truncate);
    CHECK(server.raft.log().last_index() == Index{4});
  }
  SUBCASE("4. what the log has not yet is appended") {
    server.receive("2", append_of(3, 3, 1, {command(4, 3, "c"), command(5, 3, "d")}));
    CHECK(!server.output.truncate);
    REQUIRE(server.output.append.size() == 1);
    CHECK(server.output.append[0].body == "d");
  }
  SUBCASE("5. commit_index is the smaller of leader_commit and the last new entry") {
    SUBCASE("leader_commit") {
      server.receive("2", append_of(3, 2, 1, {command(3, 1), command(4, 3)}, 3));
      CHECK(server.raft.commit_index() == Index{3});
    }
    SUBCASE("the last new entry") {
      server.receive("2", append_of(3, 2, 1, {command(3, 1)}, 9));
      CHECK(server.raft.commit_index() == Index{3});
    }
    SUBCASE("and it does not sink") {
      server.receive("2", append_of(3, 4, 3, {}, 4));
      server.receive("2", append_of(3, 4, 3, {}, 2));
      CHECK(server.raft.commit_index() == Index{4});
    }
  }
}

TEST_CASE("figure 2, RequestVote: the receiver") {
  OneServer server = follower();
  const auto granted = [&](const std::string& from, const RequestVote& request) {
    server.receive(from, request);
    if (server.output.messages.empty()) server.persist();
    return server.sent<VoteReply>(from).at(0).granted;
  };
  SUBCASE("1. no if its term is below current_term") {
    CHECK(!granted("2", {Term{2}, Index{9}, Term{2}, false}));
    CHECK(server.sent<VoteReply>()[0].term == Term{3});
  }
  SUBCASE("2. yes if voted_for is null or the candidate, and its log is as up to date") {
    SUBCASE("null") { CHECK(granted("2", {Term{3}, Index{4}, Term{3}, false})); }
    SUBCASE("the candidate itself, again") {
      CHECK(granted("2", {Term{3}, Index{4}, Term{3}, false}));
      CHECK(granted("2", {Term{3}, Index{4}, Term{3}, false}));
    }
    SUBCASE("somebody else") {
      CHECK(granted("2", {Term{3}, Index{4}, Term{3}, false}));
      CHECK(!granted("3", {Term{3}, Index{9}, Term{3}, false}));
    }
    SUBCASE("another in a later term") {
      CHECK(granted("2", {Term{3}, Index{4}, Term{3}, false}));
      CHECK(granted("3", {Term{4}, Index{4}, Term{3}, false}));
    }
    SUBCASE("the later last term is more up to date (5.4.1)") {
      CHECK(!granted("2", {Term{3}, Index{99}, Term{2}, false}));
    }
    SUBCASE("with the same last term, the longer log") {
      CHECK(!granted("2", {Term{3}, Index{3}, Term{3}, false}));
    }
    SUBCASE("a later last term wins over any length") {
      CHECK(granted("2", {Term{5}, Index{1}, Term{4}, false}));
    }
  }
}

TEST_CASE("figure 2, all servers") {
  SUBCASE("what is up to commit_index is for the state machine, in order, once") {
    test::RaftCluster cluster({"1", "2", "3"});
    REQUIRE(cluster.elect("1"));
    cluster.propose("1", {"a", "b"});
    cluster.settle();
    for (const std::string& id : cluster.ids()) {
      CHECK(cluster.at(id).commit_index() == Index{4});
      CHECK(cluster.at(id).log().at(Index{3}).body == "a");
      CHECK(cluster.at(id).log().at(Index{4}).body == "b");
    }
    CHECK(cluster.violations().empty());
  }
  SUBCASE("a higher term, in a request or an answer, makes a follower") {
    AppendReply append_reply;
    append_reply.term = Term{9};
    const Message messages[] = {RequestVote{Term{9}, Index{0}, Term{0}, false},
                                VoteReply{Term{9}, false, false},
                                VoteReply{Term{9}, false, true},
                                append_of(9, 99, 9),
                                append_reply,
                                Heartbeat{Term{9}, Index{0}, 0},
                                HeartbeatReply{Term{9}, 0, Index{0}, Index{0}, DiskSpace::enough}};
    for (const Message& message : messages) {
      CAPTURE(test::name_of(test::kind_of(message)));
      OneServer leader;
      leader.elect();
      leader.receive("2", message);
      CHECK(leader.is_follower());
      CHECK(leader.raft.current_term() == Term{9});
      CHECK(leader.output.hard_state == HardState{Term{9}, std::nullopt});
      OneServer candidate;
      candidate.fire();
      candidate.receive("2", VoteReply{Term{1}, true, true});
      REQUIRE(candidate.is_candidate());
      candidate.receive("2", message);
      CHECK(candidate.is_follower());
    }
  }
  SUBCASE("but not the term that a pre-vote speaks of: nobody is in it (thesis 9.6)") {
    OneServer server = follower();
    server.receive("2", RequestVote{Term{9}, Index{9}, Term{3}, true});
    CHECK(server.raft.current_term() == Term{3});
  }
}

TEST_CASE("figure 2, followers (5.2)") {
  OneServer server = follower();
  SUBCASE("they answer candidates and leaders") {
    server.receive("2", Heartbeat{Term{3}, Index{0}, 0});
    CHECK(server.sent<HeartbeatReply>("2").size() == 1);
    server.receive("3", RequestVote{Term{3}, Index{0}, Term{0}, false});
    CHECK(server.sent<VoteReply>("3").size() == 1);
  }
  SUBCASE("an election timeout without a leader's word or a granted vote makes a candidate") {
    server.fire();  // PreVote comes first
    CHECK(server.is_pre_candidate());
    server.receive("2", VoteReply{Term{4}, true, true});
    CHECK(server.is_candidate());
  }
  SUBCASE("a leader's word sets the timer back") {
    for (const Message& message : {Message(Heartbeat{Term{3}, Index{0}, 0}),
                                   Message(append_of(3, 4, 3)), Message(append_of(3, 77, 3))}) {
      server.now_us = server.raft.wake_at_us() - 1;
      server.receive("2", message);
      CHECK(server.raft.wake_at_us() >= server.now_us + 600'000);
    }
  }
  SUBCASE("a granted vote sets it back, a refused one does not") {
    const std::uint64_t before = server.raft.wake_at_us();
    server.now_us = before - 1;
    server.receive("2", RequestVote{Term{3}, Index{0}, Term{0}, false});
    CHECK(server.raft.wake_at_us() == before);
    server.receive("2", RequestVote{Term{3}, Index{4}, Term{3}, false});
    CHECK(server.raft.wake_at_us() >= server.now_us + 600'000);
  }
}

TEST_CASE("figure 2, candidates (5.2)") {
  OneServer server;
  server.fire();
  server.receive("2", VoteReply{Term{1}, true, true});
  REQUIRE(server.is_candidate());
  SUBCASE("an election: the term goes up, it votes for itself, sets its timer, asks all others") {
    CHECK(server.raft.current_term() == Term{1});
    CHECK(server.raft.voted_for() == peer("1"));
    CHECK(server.raft.wake_at_us() >= server.now_us + 600'000);
    server.persist();  // and asks once that is durable
    REQUIRE(server.sent<RequestVote>().size() == 2);
    CHECK(!server.sent<RequestVote>()[0].pre_vote);
    CHECK(server.sent<RequestVote>()[0].term == Term{1});
  }
  SUBCASE("votes of a majority make a leader") {
    server.persist();
    server.receive("3", VoteReply{Term{1}, true, false});
    CHECK(server.raft.is_leader());
  }
  SUBCASE("the word of a new leader of its term makes a follower") {
    SUBCASE("entries") { server.receive("2", append_of(1, 1, 0)); }
    SUBCASE("a heartbeat") { server.receive("2", Heartbeat{Term{1}, Index{0}, 0}); }
    CHECK(server.is_follower());
    CHECK(server.raft.leader() == peer("2"));
    CHECK(server.raft.voted_for() == peer("1"));  // its vote in this term stays
  }
  SUBCASE("when the timeout passes it begins again") {
    server.persist();
    server.fire();
    server.receive("2", VoteReply{Term{2}, true, true});
    CHECK(server.is_candidate());
    CHECK(server.raft.current_term() == Term{2});
  }
}

TEST_CASE("figure 2, leaders") {
  OneServer server = follower();
  server.elect();  // in term 4, its no-op at 5
  SUBCASE("heartbeats at once, and again in idle times") {
    OneServer fresh;
    fresh.fire();
    fresh.receive("2", VoteReply{Term{1}, true, true});
    fresh.persist();
    fresh.receive("2", VoteReply{Term{1}, true, false});
    CHECK(fresh.sent<Heartbeat>().size() == 2);
    fresh.fire();
    CHECK(fresh.sent<Heartbeat>().size() == 2);
  }
  SUBCASE("a client's command is appended, and known by its index") {
    server.propose("d");
    CHECK(server.output.proposed == Index{6});
    CHECK(server.output.append.at(0).body == "d");
    CHECK(server.output.append[0].term == Term{4});
  }
  SUBCASE("it never overwrites its own log (leader append-only)") {
    server.propose("d");
    CHECK(!server.output.truncate);
    server.acknowledge("2", Index{3});
    CHECK(!server.output.truncate);
    CHECK(server.raft.log().last_index() == Index{6});
  }
  SUBCASE("whoever is behind next_index is sent what follows it") {
    server.acknowledge("2", Index{5});
    server.propose("d");
    const AppendEntries append = server.sent<AppendEntries>("2").at(0);
    CHECK(append.prev_log_index == Index{5});
    CHECK(append.prev_log_term == Term{4});
    CHECK(append.entries.at(0).body == "d");
  }
  SUBCASE("success raises next_index and match_index") {
    server.acknowledge("2", Index{5});
    CHECK(server.progress("2").match_index == Index{5});
    CHECK(server.progress("2").next_index == Index{6});
  }
  SUBCASE("a refusal lowers next_index, and it tries again") {
    AppendReply reply;
    reply.term = Term{4};
    reply.rejected = Index{4};
    reply.hint_index = Index{2};
    reply.hint_term = Term{1};
    server.receive("2", reply);
    CHECK(server.progress("2").next_index == Index{3});
    CHECK(server.sent<AppendEntries>("2").at(0).prev_log_index == Index{2});
    CHECK(server.progress("2").match_index == Index{0});
  }
  SUBCASE("N on a majority with log[N].term == current_term is committed") {
    server.persist();
    server.acknowledge("2", Index{4});  // an older term's entry, on a majority
    CHECK(server.raft.commit_index() == Index{0});
    server.acknowledge("2", Index{5});
    CHECK(server.raft.commit_index() == Index{5});
  }
}

}  // namespace zatt::raft
