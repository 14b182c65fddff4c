// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft: who leads hands over, told to or for its disk's sake (thesis 3.10).
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"

namespace zatt::raft {
TEST_CASE("leadership transfer: to the connected voter with the longest log") {
  OneServer server(voters({"1", "2", "3", "4"}, {"5"}));
  server.elect({"2", "3", "4"});
  server.persist();
  server.propose();
  server.persist();
  server.acknowledge("2", Index{2});
  server.acknowledge("3", Index{3});
  server.acknowledge("4", Index{3});
  server.acknowledge("5", Index{2});
  server.step(PeerDown{peer("3")});
  server.step(TransferLeadership{server.term()});
  CHECK(server.is_follower());
  REQUIRE(server.output.messages.size() == 1);
  CHECK(server.sent<TimeoutNow>("4").at(0).term == Term{1});
}

TEST_CASE("leadership transfer: a follower, and a lone server, keep what they are") {
  OneServer follower;
  follower.step(TransferLeadership{follower.term()});
  CHECK(follower.output.messages.empty());
  OneServer alone(voters({"1"}));
  alone.fire();
  alone.persist();
  REQUIRE(alone.raft.is_leader());
  alone.step(TransferLeadership{alone.term()});
  CHECK(alone.raft.is_leader());
}

TEST_CASE("a stuck disk: its server starts no election, and its leader hands over") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1)}));  // never written
  server.fire();
  server.fire();
  CHECK(server.is_follower());
  server.receive("2", TimeoutNow{Term{1}});
  CHECK(server.is_follower());
  server.persist();
  server.fire();
  CHECK(server.is_pre_candidate());

  OneServer leader;
  leader.elect();
  leader.persist();
  leader.propose();
  const std::uint64_t since = leader.now_us;
  while (leader.raft.is_leader()) {
    leader.fire();
    REQUIRE(leader.now_us - since <= 3'200'000);
    leader.receive("3", HeartbeatReply{Term{1}, 0, Index{2}, Index{3}, DiskSpace::enough});
    if (!leader.raft.is_leader()) break;
    leader.receive("2", HeartbeatReply{Term{1}, 0, Index{3}, Index{3}, DiskSpace::enough});
  }
  CHECK(leader.now_us - since > 3'000'000);
}

TEST_CASE("a busy disk is none that hangs: its leader stays as long as something gets done") {
  OneServer leader;
  leader.elect();
  leader.persist();
  WriteNumber oldest = leader.last_write;
  for (int i = 0; i < 3; ++i) leader.propose();
  for (int i = 0; i < 3; ++i) {  // each write takes two seconds, and waits for those before it
    for (const std::uint64_t until = leader.now_us + 2'000'000; leader.now_us < until;) {
      leader.fire();
      for (const char* id : {"2", "3"})
        leader.receive(id, HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::enough});
    }
    REQUIRE(leader.raft.is_leader());
    leader.step(Persisted{++oldest});
  }
  CHECK(leader.raft.is_leader());
}

TEST_CASE("a full disk: its leader hands over to who has room, where a quorum has it") {
  const auto beat = [](OneServer& leader, const char* id, std::uint64_t match, bool full) {
    leader.receive(id, HeartbeatReply{Term{1}, 0, Index{match}, Index{match},
                                      full ? DiskSpace::low : DiskSpace::enough});
  };
  OneServer leader(voters({"1", "2", "3", "4", "5"}));
  leader.elect();
  leader.persist();
  leader.propose();
  leader.persist();
  leader.step(DiskSpaceChanged{DiskSpace::low});
  const auto wait_us = [&](std::uint64_t us, bool three_is_full) {
    for (const std::uint64_t until = leader.now_us + us;
         leader.raft.is_leader() && leader.now_us < until;) {
      leader.fire();
      if (!leader.raft.is_leader()) return;
      beat(leader, "2", 3, false);
      beat(leader, "3", 3, three_is_full);
      beat(leader, "4", 3, true);
      beat(leader, "5", 3, false);
    }
  };
  wait_us(4'000'000, true);  // two of five have room
  REQUIRE(leader.raft.is_leader());
  leader.step(DiskSpaceChanged{DiskSpace::enough});
  wait_us(1'000'000, false);
  leader.step(DiskSpaceChanged{DiskSpace::low});
  wait_us(2'900'000, false);  // not at once: it may have room again soon
  REQUIRE(leader.raft.is_leader());
  wait_us(300'000, false);
  CHECK(leader.is_follower());
  CHECK(leader.sent<TimeoutNow>("2").size() == 1);
}

TEST_CASE("leadership transfer: rather to who has room, if it has all that is committed") {
  OneServer server;
  server.elect();
  server.persist();
  server.propose();
  server.persist();
  server.receive("2", HeartbeatReply{Term{1}, 0, Index{3}, Index{3}, DiskSpace::low});
  SUBCASE("it has") {
    server.receive("3", HeartbeatReply{Term{1}, 0, Index{3}, Index{3}, DiskSpace::enough});
    server.step(TransferLeadership{server.term()});
    CHECK(server.sent<TimeoutNow>("3").size() == 1);
  }
  SUBCASE("it has not") {
    server.receive("3", HeartbeatReply{Term{1}, 0, Index{2}, Index{3}, DiskSpace::enough});
    server.step(TransferLeadership{server.term()});
    CHECK(server.sent<TimeoutNow>("2").size() == 1);
  }
}

}  // namespace zatt::raft
