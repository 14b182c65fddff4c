// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft/raft.cc: events, writes and what waits for them; and whole clusters under random
// trouble.
#include "raft/raft.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "base/prng.h"
#include "tests/raft/one_server.h"
#include "tests/support/raft_cluster.h"

namespace zatt::raft {

TEST_CASE("found: a configuration in term 0; a lone server begins at once, others wait") {
  OneServer alone(voters({"1"}), {}, false);
  CHECK(alone.raft.wake_at_us() == UINT64_MAX);
  alone.step(Bootstrap{voters({"1"})});
  CHECK(alone.raft.wake_at_us() == alone.now_us);
  OneServer one_of_three(voters({"1"}), {}, false);
  one_of_three.step(Bootstrap{voters({"1", "2", "3"})});
  CHECK(one_of_three.raft.wake_at_us() >= one_of_three.now_us + 600'000);
  REQUIRE(one_of_three.output.append.size() == 1);
  CHECK(one_of_three.output.append[0].kind == EntryKind::configuration);
  CHECK(one_of_three.output.append[0].term == Term{0});
}

TEST_CASE("unfound: the configuration is given up, and another may come") {
  OneServer server;
  server.step(AbandonBootstrap{});
  CHECK(server.output.truncate == Index{0});
  CHECK(server.raft.configuration().empty());
  server.step(Bootstrap{voters({"1", "4", "5"})});
  CHECK(server.raft.configuration().votes(peer("5")));
  server.persist();
  CHECK(server.raft.durable_index() == Index{1});
}

TEST_CASE("persisted: several writes at once, and in order hard state, cut, append") {
  OneServer server({command(2, 1)}, {Term{1}, std::nullopt});
  server.receive("2", append_of(2, 1, 0, {command(2, 2), command(3, 2)}));
  CHECK(server.output.hard_state == HardState{Term{2}, std::nullopt});
  CHECK(server.output.truncate == Index{1});
  CHECK(server.output.append.size() == 2);
  const WriteNumber first = server.last_write;
  server.receive("2", append_of(2, 3, 2, {command(4, 2)}));
  CHECK(server.last_write == first + 1);
  CHECK(!server.output.hard_state);
  server.persist();
  CHECK(server.raft.durable_index() == Index{4});
  CHECK(server.sent<AppendReply>().at(0).match_index == Index{4});
}

TEST_CASE("persisted: a write of somebody else has a number in the same sequence") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1)}));
  const WriteNumber first = server.last_write;
  const WriteNumber other = server.raft.take_write_number();
  CHECK(other == first + 1);
  server.receive("2", append_of(1, 2, 1, {command(3, 1)}));
  CHECK(server.last_write == other + 1);
  server.step(Persisted{other});
  CHECK(server.raft.durable_index() == Index{2});
  CHECK(server.sent<AppendReply>().size() == 1);
  server.persist();
  CHECK(server.raft.durable_index() == Index{3});
}

TEST_CASE("a held reply of an overtaken term is not said") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1)}));
  server.receive("2", Heartbeat{Term{1}, Index{0}, 0});
  const WriteNumber first = server.last_write;
  server.receive("3", RequestVote{Term{5}, Index{9}, Term{4}, false});
  server.step(Persisted{first});
  CHECK(server.output.messages.empty());
  server.persist();
  REQUIRE(server.output.messages.size() == 1);
  CHECK(server.sent<VoteReply>("3").at(0).granted);
}

TEST_CASE("a leader's own write that becomes durable after its term commits nothing") {
  OneServer server;
  server.elect();
  server.acknowledge("2", Index{2});
  server.receive("3", Heartbeat{Term{2}, Index{0}, 0});
  server.persist();
  CHECK(server.raft.commit_index() == Index{0});
  CHECK(server.raft.log().term_at(Index{2}) == Term{1});
  CHECK(server.sent<AppendReply>().empty());  // not compared with the new leader's log yet
}

TEST_CASE("restore: the term, the vote, and the last configuration of the log") {
  std::string body;
  encode(voters({"1", "2"}), body);
  OneServer server({{Index{2}, Term{3}, 0, EntryKind::configuration, body}, command(3, 3)},
                   {Term{4}, peer("3")});
  CHECK(server.raft.current_term() == Term{4});
  CHECK(server.raft.voted_for() == peer("3"));
  CHECK(server.raft.configuration_index() == Index{2});
  CHECK(!server.raft.configuration().votes(peer("3")));
  CHECK(server.raft.durable_index() == Index{3});
  CHECK(server.raft.commit_index() == Index{0});
  server.receive("2", RequestVote{Term{4}, Index{9}, Term{4}, false});
  CHECK(!server.sent<VoteReply>().at(0).granted);
}

TEST_CASE("the same inputs make the same outputs") {
  const auto deadlines = [] {
    OneServer server;
    std::vector<std::uint64_t> drawn;
    for (int i = 0; i < 20; ++i) {
      server.fire();
      drawn.push_back(server.raft.wake_at_us());
    }
    return drawn;
  };
  CHECK(deadlines() == deadlines());
}

namespace {

std::string any_of(Prng& prng, const std::vector<std::string>& ids) {
  return ids[prng.below(ids.size())];
}

// One event of a troubled life: everything that may be lost, late, doubled or cut.
void trouble(test::RaftCluster& cluster, Prng& prng, std::uint64_t& proposals) {
  const std::vector<std::string> ids = cluster.ids();
  const std::string id = any_of(prng, ids);
  const std::string other = any_of(prng, ids);
  switch (prng.below(12)) {
    case 0:
      if (cluster.is_up(id)) cluster.crash(id);
      break;
    case 1:
    case 2:
      if (!cluster.is_up(id)) cluster.start(id);
      break;
    case 3:
      if (id != other) cluster.cut(id, other);
      break;
    case 4:
    case 5:
      cluster.heal(id);
      break;
    case 6:
      cluster.hold_disk(id);
      break;
    case 7:
      cluster.release_disk(id);
      break;
    case 8:
      cluster.discard({std::nullopt, id, ""});
      break;
    case 9:
      for (const test::Letter& letter : cluster.under_way({std::nullopt, id, ""}))
        cluster.inject(letter);
      break;
    case 10:
      if (cluster.is_up(id)) cluster.fire(id);
      break;
    default:
      if (cluster.is_up(id)) cluster.propose(id, {std::to_string(++proposals)});
  }
}

}  // namespace

TEST_CASE("clusters under random trouble: nothing breaks, and afterwards one leads and all agree") {
  const std::uint64_t seeds = std::getenv("ZATT_SOAK") != nullptr ? 5000 : 60;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    std::vector<std::string> ids = {"1", "2", "3"};
    if (prng.chance(1, 2)) ids.insert(ids.end(), {"4", "5"});
    Options options;
    options.seed = seed;
    if (prng.chance(1, 2)) options.max_append_bytes = 1;
    if (prng.chance(1, 2)) options.max_in_flight_bytes = 300;
    if (prng.chance(1, 2)) options.max_log_bytes = 200;
    test::RaftCluster cluster(ids, {}, options);
    std::uint64_t proposals = 0;
    for (int i = 0; i < 400; ++i) {
      trouble(cluster, prng, proposals);
      cluster.run(1000 * prng.below(150));
      const std::vector<std::string> broken = cluster.violations();
      if (!broken.empty()) FAIL(broken.front());
    }
    for (const std::string& id : ids) {
      if (!cluster.is_up(id)) cluster.start(id);
      cluster.release_disk(id);
      cluster.heal(id);
    }
    cluster.run(10'000'000);
    const auto leader = cluster.leader();
    REQUIRE(leader);
    REQUIRE(cluster.propose(*leader, {"last"}));
    cluster.run(1'000'000);
    CHECK(cluster.violations().empty());
    const Index last = cluster.at(*leader).log().last_index();
    for (const std::string& id : ids) {
      CHECK(cluster.at(id).commit_index() == last);
      CHECK(cluster.at(id).current_term() == cluster.at(*leader).current_term());
    }
  }
}

TEST_CASE("another term: what was meant for it is refused, the leader's own term is taken") {
  for (const int off : {-1, +1}) {
    CAPTURE(off);
    OneServer server;
    server.elect();
    server.receive("2", Heartbeat{Term{2}, {}, 0, Index{2}});
    server.persist();
    server.elect();
    REQUIRE(server.term() == Term{3});
    server.persist();
    const Term other{raw(server.term()) + static_cast<std::uint64_t>(off)};

    server.step(Propose{other, {{EntryKind::command, "x"}}});
    CHECK(server.output.proposed == Index{0});
    CHECK(server.output.write == WriteNumber{});
    server.step(ReadRequests{other, {{7, false}}});
    CHECK(server.output.messages.empty());
    REQUIRE(server.output.reads.size() == 1);
    CHECK(server.output.reads[0].id == 7);
    CHECK(!server.output.reads[0].confirmed);
    server.step(TransferLeadership{other});
    CHECK(server.raft.is_leader());

    server.step(ReadRequests{server.term(), {{8, false}}});
    CHECK(!server.sent<Heartbeat>().empty());
    server.propose();
    CHECK(server.output.proposed == server.raft.log().last_index());
    server.step(TransferLeadership{server.term()});
    CHECK(server.is_follower());
  }
}

TEST_CASE("time: a leader's entries carry its wall clock, and never one before the last entry's") {
  OneServer server;
  CHECK(server.raft.log().at(Index{1}).time_us == 0);  // the same on all that store it
  server.wall_us = 100;
  server.elect();
  CHECK(server.raft.log().at(Index{2}).time_us == 100);
  server.wall_us = 200;
  server.step(Propose{server.term(), {{EntryKind::command, "a"}, {EntryKind::command, "b"}}});
  REQUIRE(server.output.append.size() == 2);
  CHECK(server.output.append[0].time_us == 200);
  CHECK(server.output.append[1].time_us == 200);
  server.wall_us = 50;  // set back
  CHECK(server.propose().append[0].time_us == 200);
  server.wall_us = 0;
  CHECK(server.propose().append[0].time_us == 200);
  server.wall_us = 201;
  CHECK(server.propose().append[0].time_us == 201);
}

TEST_CASE("time: a follower keeps what it is sent, and goes on from there when it leads") {
  OneServer server;
  server.wall_us = 9'000;
  EntryView early = command(2, 1);
  early.time_us = 70;
  server.receive("2", append_of(1, 1, 0, {early}));
  REQUIRE(server.output.append.size() == 1);
  CHECK(server.output.append[0].time_us == 70);
  EntryView late = command(3, 1);
  late.time_us = 50'000;  // by a clock that is ahead
  server.receive("2", append_of(1, 2, 1, {late}));
  CHECK(server.raft.log().at(Index{3}).time_us == 50'000);
  server.persist();
  server.elect();
  CHECK(server.raft.log().at(Index{4}).time_us == 50'000);
  CHECK(server.propose().append[0].time_us == 50'000);
}

TEST_CASE("time: what a process finds on its disk bounds it too") {
  EntryView found = command(2, 1);
  found.time_us = 8'000'000;
  OneServer server({found}, {Term{1}, std::nullopt, {}});
  server.elect();
  CHECK(server.raft.log().at(Index{3}).time_us == 8'000'000);
}

}  // namespace zatt::raft
