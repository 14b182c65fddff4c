// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft/replication.cc: a follower that is behind, what is read from disk for it, and how much
// it takes.
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

AppendReply refused_at(std::uint64_t rejected) {
  AppendReply reply;
  reply.term = Term{1};
  reply.rejected = Index{rejected};
  return reply;
}

// Server 2 has all, which is applied and forgotten; server 3 says that its log ends at `met`.
void fall_behind(OneServer& server, std::uint64_t met) {
  const Index last = server.raft.log().last_index();
  server.persist();
  server.acknowledge("2", last);
  server.step(Applied{last});
  server.receive("3", refused_at(1));
  AppendReply reply;
  reply.term = Term{1};
  reply.success = true;
  reply.match_index = reply.received_index = Index{met};
  server.receive("3", reply);
  REQUIRE(server.output.fetches.size() == 1);
}

}  // namespace

TEST_CASE("an arrival opens the window and commits nothing") {
  Options options;
  options.max_in_flight_bytes = 2 * cost(1);
  OneServer server(voters({"1", "2", "3"}), options);
  server.elect();
  for (const char* id : {"2", "3"}) server.acknowledge(id, Index{2});
  for (int i = 0; i < 4; ++i) server.propose("x");
  CHECK(server.progress("2").in_flight_bytes == 2 * cost(1));
  AppendReply arrived;
  arrived.term = server.term();
  arrived.success = true;
  arrived.match_index = Index{2};
  arrived.received_index = Index{4};
  for (const char* id : {"2", "3"}) {
    server.receive(id, arrived);
    REQUIRE(server.sent<AppendEntries>(id).size() == 1);
    CHECK(server.sent<AppendEntries>(id)[0].entries.size() == 2);
    CHECK(server.progress(id).match_index == Index{2});
  }
  CHECK(server.raft.commit_index() == Index{2});  // nor with all of them: it is on no disk
  server.persist();
  CHECK(server.raft.commit_index() == Index{2});
  server.acknowledge("2", Index{4});
  CHECK(server.raft.commit_index() == Index{4});
}

TEST_CASE("no more is under way than the follower takes, and one message at least") {
  OneServer server;
  server.elect();
  for (const char* id : {"2", "3"}) server.acknowledge(id, Index{2});
  const auto say = [&](Index received, std::uint64_t takes) {
    HeartbeatReply reply;
    reply.term = server.term();
    reply.match_index = Index{2};
    reply.received_index = received;
    reply.takes = takes;
    server.receive("2", reply);
  };
  say(Index{2}, 0);
  server.propose();
  server.propose();
  CHECK(server.sent<AppendEntries>("2").empty());
  CHECK(server.progress("2").in_flight_bytes == 0);
  say(Index{2}, 1);
  REQUIRE(server.sent<AppendEntries>("2").size() == 1);
  CHECK(server.sent<AppendEntries>("2")[0].entries.size() == 2);
  server.propose();
  CHECK(server.sent<AppendEntries>("2").empty());
  say(Index{4}, 0);
  CHECK(server.sent<AppendEntries>("2").empty());
  say(Index{4}, 3 * cost(1));
  CHECK(server.sent<AppendEntries>("2").size() == 1);
  server.propose();
  CHECK(server.sent<AppendEntries>("2").size() == 1);

  // After a new connection it is found out first where the logs meet: with nothing it does not take.
  say(Index{6}, 0);
  server.propose();
  server.step(PeerDown{peer("2")});
  server.step(PeerUp{peer("2"), BootId{1}});
  REQUIRE(server.sent<AppendEntries>("2").size() == 1);
  CHECK(server.sent<AppendEntries>("2")[0].entries.empty());
}

TEST_CASE("entries no longer in memory are fetched, a batch at a time") {
  Options options;
  options.max_log_bytes = cost(1);
  OneServer server(voters({"1", "2", "3"}), options);
  server.elect();
  for (int i = 0; i < 5; ++i) server.propose("x");
  server.persist();
  server.acknowledge("2", Index{7});
  server.step(Applied{Index{7}});
  REQUIRE(server.raft.log().first_in_memory() == Index{7});

  server.receive("3", refused_at(1));
  const auto probe = server.sent<AppendEntries>("3");
  REQUIRE(probe.size() == 1);
  CHECK(probe[0].entries.empty());  // finds out first, without the disk
  AppendReply met;
  met.term = Term{1};
  met.success = true;
  server.receive("3", met);
  REQUIRE(server.output.fetches.size() == 1);
  const Fetch fetch = server.output.fetches[0];
  CHECK(fetch.first == Index{1});
  server.acknowledge("2", Index{7});
  CHECK(server.output.fetches.empty());  // one at a time

  std::string body;
  encode(server.raft.configuration(), body);
  const EntryView first{Index{1}, Term{0}, 0, EntryKind::configuration, body};
  const EntryView second{Index{2}, Term{1}, 0, EntryKind::noop, {}};
  server.step(Fetched{fetch.number, {first, second}});
  const auto sent = server.sent<AppendEntries>("3");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].prev_log_index == Index{0});
  REQUIRE(sent[0].entries.size() == 2);
  CHECK(sent[0].entries[0].body == body);
  server.acknowledge("3", Index{2});
  REQUIRE(server.output.fetches.size() == 1);  // the next
  CHECK(server.output.fetches[0].first == Index{3});
  CHECK(server.output.fetches[0].number != fetch.number);

  // The connection ends before the disk answers: the answer is nobody's.
  const Fetch late = server.output.fetches[0];
  server.step(PeerDown{peer("3")});
  server.step(Fetched{late.number, {command(3, 1)}});
  CHECK(server.output.messages.empty());
}

TEST_CASE("what is fetched is sent piece by piece, and no more asked for than may be on its way") {
  Options options;
  options.max_log_bytes = cost(1);
  options.max_append_bytes = 1;
  OneServer server(voters({"1", "2", "3"}), options);
  server.elect();
  for (int i = 0; i < 5; ++i) server.propose("x");
  fall_behind(server, 1);
  const Fetch fetch = server.output.fetches[0];
  CHECK(fetch.first == Index{2});
  CHECK(fetch.last == Index{6});  // what follows is in memory
  CHECK(fetch.max_bytes == 1);    // after a refusal one alone, at first

  const EntryView noop{Index{2}, Term{1}, 0, EntryKind::noop, {}};
  server.step(Fetched{fetch.number, {noop}, false});
  CHECK(server.sent<AppendEntries>("3").size() == 1);
  server.step(Fetched{fetch.number, {command(3, 1), command(4, 1)}, false});
  const auto sent = server.sent<AppendEntries>("3");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].prev_log_index == Index{2});
  server.acknowledge("3", Index{4});
  CHECK(server.output.fetches.empty());  // the rest is on its way already
  server.step(Fetched{fetch.number, {command(5, 1)}});
  CHECK(server.sent<AppendEntries>("3").size() == 1);
  REQUIRE(server.output.fetches.size() == 1);
  CHECK(server.output.fetches[0].first == Index{6});
  CHECK(server.output.fetches[0].max_bytes ==
        server.progress("3").window_bytes - server.progress("3").in_flight_bytes);
  CHECK(server.progress("3").in_flight_bytes == cost(1));
}

TEST_CASE("a fetch that brings nothing is asked for again with the next heartbeat") {
  Options options;
  options.max_log_bytes = 1;
  OneServer server(voters({"1", "2", "3"}), options);
  server.elect();
  fall_behind(server, 0);
  server.step(Fetched{server.output.fetches[0].number, {}});
  CHECK(server.output.fetches.empty());
  server.fire();
  CHECK(server.output.fetches.size() == 1);
}

}  // namespace zatt::raft
