// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft/reads.cc: ReadIndex, one confirmation round for all reads that wait.
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

HeartbeatReply answer(std::uint64_t round, std::uint64_t index = 2) {
  return {Term{1}, round, Index{index}, Index{index}, DiskSpace::enough};
}

void read(OneServer& server, std::uint64_t id, bool to_log_end = false) {
  server.step(ReadRequests{server.term(), {{id, to_log_end}}});
}

}  // namespace

TEST_CASE("reads: a follower refuses at once") {
  OneServer server;
  read(server, 4);
  REQUIRE(server.output.reads.size() == 1);
  CHECK(server.output.reads[0].id == 4);
  CHECK(!server.output.reads[0].confirmed);
}

TEST_CASE("reads: confirmed by a majority's answer to a round that began after they came") {
  OneServer server;
  server.elect();
  server.persist();
  server.acknowledge("2", Index{2});
  read(server, 1);
  CHECK(server.output.reads.empty());
  REQUIRE(server.sent<Heartbeat>().size() == 2);
  CHECK(server.sent<Heartbeat>()[0].round == 1);
  read(server, 2);  // while that round is under way: waits for the next
  CHECK(server.sent<Heartbeat>().empty());
  server.receive("2", answer(0));  // to an older heartbeat
  CHECK(server.output.reads.empty());
  server.receive("2", answer(1));
  REQUIRE(server.output.reads.size() == 1);
  CHECK(server.output.reads[0].id == 1);
  CHECK(server.output.reads[0].confirmed);
  CHECK(server.output.reads[0].index == Index{2});
  REQUIRE(server.sent<Heartbeat>().size() == 2);
  CHECK(server.sent<Heartbeat>()[0].round == 2);
  server.receive("3", answer(1));
  CHECK(server.output.reads.empty());
  server.receive("3", answer(2));
  REQUIRE(server.output.reads.size() == 1);
  CHECK(server.output.reads[0].id == 2);
}

TEST_CASE("reads: one round for all that wait") {
  OneServer server;
  server.elect();
  server.persist();
  read(server, 1);
  for (std::uint64_t id = 2; id < 10; ++id) read(server, id);
  server.receive("2", answer(1));
  CHECK(server.output.reads.size() == 1);
  server.receive("2", answer(2));
  CHECK(server.output.reads.size() == 8);
}

TEST_CASE("reads: before the leader's own entry is committed, its index is the bound") {
  OneServer server({command(2, 1), command(3, 1)}, {Term{1}, std::nullopt});
  server.elect();
  read(server, 1);
  server.receive("2", HeartbeatReply{Term{2}, 1, Index{0}, Index{0}, DiskSpace::enough});
  REQUIRE(server.output.reads.size() == 1);
  CHECK(server.raft.commit_index() == Index{0});
  CHECK(server.output.reads[0].index == Index{4});  // the no-op of term 2
}

TEST_CASE("reads: to the end of the log, for what a client wrote and does not know the end of") {
  OneServer server;
  server.elect();
  server.persist();
  server.acknowledge("2", Index{2});
  server.propose();
  read(server, 1, true);
  server.receive("2", answer(1));
  CHECK(server.output.reads.at(0).index == Index{3});
}

TEST_CASE("reads: whatever ends the leadership refuses them") {
  struct Row {
    const char* why;
    void (*end)(OneServer&);
  };
  const Row rows[] = {
      {"a higher term",
       [](OneServer& s) {
         s.receive("3", Heartbeat{Term{9}, Index{0}, 0});
       }},
      {"handed over", [](OneServer& s) { s.step(TransferLeadership{s.term()}); }},
      {"no quorum heard",
       [](OneServer& s) {
         s.now_us += 2'000'000;
         s.step(Tick{});
       }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    OneServer server;
    server.elect();
    server.persist();
    read(server, 1);
    read(server, 2);
    row.end(server);
    CHECK(!server.raft.is_leader());
    REQUIRE(server.output.reads.size() == 2);
    CHECK(!server.output.reads[0].confirmed);
    CHECK(!server.output.reads[1].confirmed);
    server.receive("2", answer(1));  // too late
    CHECK(server.output.reads.empty());
  }
}

TEST_CASE("reads: a lone server confirms its own") {
  OneServer server(voters({"1"}));
  server.fire();
  server.persist();
  server.persist();
  read(server, 1);
  REQUIRE(server.output.reads.size() == 1);
  CHECK(server.output.reads[0].confirmed);
  CHECK(server.output.reads[0].index == Index{2});
}

}  // namespace zatt::raft
