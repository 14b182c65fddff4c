// SPDX-License-Identifier: AGPL-3.0-or-later
// When proposals wait for a voter that is behind, and for whom they never do.
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

constexpr std::uint64_t behind_us = 600'000;  // more than a voter may be

// Entries 3 and 4, half a second old, of which 3 has nothing.
struct Lag {
  explicit Lag(const Configuration& configuration = voters({"1", "2", "3"}))
      : server(configuration) {
    server.elect();
    acknowledge_all(Index{2});
    server.propose();
    server.propose();
    server.persist();
    server.acknowledge("2", Index{4});
    server.now_us += behind_us;
    say("3", Index{2}, Index{2});
    server.propose();
  }
  void acknowledge_all(Index index) {
    for (const auto& [member, progress] : std::get<Leader>(server.raft.role()).progress)
      server.acknowledge(member.id, index);
  }
  void say(const std::string& id, Index match, Index received, DiskSpace room = DiskSpace::enough) {
    AppendReply reply;
    reply.term = server.term();
    reply.success = true;
    reply.match_index = match;
    reply.received_index = received;
    reply.room = room;
    server.receive(id, reply);
  }
  bool is_waited_for() const { return server.raft.has_lagging_voter(server.now_us); }

  OneServer server;
};

}  // namespace

TEST_CASE("pace: a voter that lacks what is half a second old is waited for") {
  Lag lag;
  CHECK(lag.is_waited_for());
  lag.say("3", Index{2}, Index{4});  // it has arrived; that is enough
  CHECK(!lag.is_waited_for());
}

TEST_CASE("pace: nobody is waited for who could not keep up") {
  Lag lag;
  REQUIRE(lag.is_waited_for());
  SUBCASE("one that is gone") { lag.server.step(PeerDown{peer("3")}); }
  SUBCASE("one whose disk is full") { lag.say("3", Index{2}, Index{2}, DiskSpace::full); }
  SUBCASE("one that makes no progress") {
    lag.server.now_us += 1'000'000;
    lag.say("3", Index{2}, Index{2});
  }
  SUBCASE("nor by who leads no more") {
    lag.server.receive("2", Heartbeat{lag.server.term() + 1, Index{0}, 0, Index{5}});
  }
  CHECK(!lag.is_waited_for());
}

TEST_CASE("pace: a learner is waited for by nobody") {
  Lag lag(voters({"1", "2"}, {"3"}));
  CHECK(!lag.is_waited_for());
}

TEST_CASE("pace: what is young is on its way") {
  OneServer server;
  server.elect();
  server.acknowledge("2", Index{2});
  server.acknowledge("3", Index{2});
  for (int i = 0; i < 100; ++i) {
    server.propose();
    server.now_us += 10'000;
    const Index last = server.raft.log().last_index();
    // A tenth of a second behind, all the time.
    if (last > Index{12})
      for (const char* id : {"2", "3"}) server.acknowledge(id, Index{raw(last) - 10});
    CHECK(!server.raft.has_lagging_voter(server.now_us));
  }
  CHECK(std::get<Leader>(server.raft.role()).marks.size() < 20);
}

}  // namespace zatt::raft
