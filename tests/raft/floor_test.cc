// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft: what a member that lost part of its log may still promise.
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"

namespace zatt::raft {

TEST_CASE("the floor: below it nobody campaigns, nor votes for a log below it") {
  // What is left after damage: entry 2 of term 1. Its files showed (3, 7).
  OneServer server({command(2, 1)}, {Term{4}, std::nullopt}, {Term{3}, Index{7}});
  CHECK(server.raft.is_below_floor());
  server.fire();
  CHECK(server.is_follower());
  CHECK(server.output.messages.empty());
  server.receive("2", TimeoutNow{Term{4}});
  CHECK(server.is_follower());
  server.receive("2", pre_vote(5, 6, 3));
  CHECK(!server.sent<VoteReply>().at(0).granted);
  server.receive("2", pre_vote(5, 7, 3));
  CHECK(server.sent<VoteReply>().at(0).granted);
  server.receive("2", vote(5, 99, 2));
  server.persist();
  CHECK(!server.sent<VoteReply>().at(0).granted);
  server.receive("3", vote(5, 2, 4));
  server.persist();
  CHECK(server.sent<VoteReply>().at(0).granted);
}

TEST_CASE("the floor: repaired once an entry at or past it is durable, not before") {
  OneServer server({command(2, 1)}, {Term{4}, std::nullopt}, {Term{3}, Index{4}});
  server.receive("2", append_of(4, 2, 1, {command(3, 3), command(4, 3)}));
  CHECK(server.raft.is_below_floor());
  server.persist();
  CHECK(!server.raft.is_below_floor());
  CHECK(server.output.hard_state);  // that it is reached is kept
  server.persist();
  server.fire();
  CHECK(server.is_pre_candidate());
}

TEST_CASE("an open floor: no vote but for a log of a later term, however long") {
  OneServer server({command(2, 1)}, {Term{4}, std::nullopt}, {Term{3}, Index{7}, Term{4}});
  CHECK(server.raft.is_below_floor());
  server.fire();
  CHECK(server.is_follower());
  server.receive("2", TimeoutNow{Term{4}});
  CHECK(server.is_follower());
  server.receive("2", pre_vote(5, 99, 4));
  CHECK(!server.sent<VoteReply>().at(0).granted);
  server.receive("2", vote(6, 99, 4));
  server.persist();
  CHECK(!server.sent<VoteReply>().at(0).granted);
  server.receive("3", vote(6, 3, 5));
  server.persist();
  CHECK(server.sent<VoteReply>().at(0).granted);
}

TEST_CASE("an open floor: what is known to have been promised since counts all the same") {
  // Opened in term 1; then entries up to 10 of term 4 were promised, and lost.
  OneServer server({command(2, 1)}, {Term{4}, std::nullopt}, {Term{4}, Index{10}, Term{1}});
  server.receive("2", pre_vote(5, 9, 4));
  server.receive("2", vote(6, 9, 4));
  server.persist();
  for (const VoteReply& reply : server.sent<VoteReply>()) CHECK(!reply.granted);
  server.receive("3", vote(7, 10, 4));
  server.persist();
  CHECK(server.sent<VoteReply>().at(0).granted);
  server.receive("2", vote(8, 3, 5));
  server.persist();
  CHECK(server.sent<VoteReply>().at(0).granted);
}

TEST_CASE("an open floor: closed by the end that a leader names, once that is durable here") {
  OneServer server({command(2, 1)}, {Term{4}, std::nullopt}, {Term{1}, Index{2}, Term{4}});
  // Longer than the known floor, and verified: nobody has said yet how far it goes.
  server.receive("2", append_of(4, 2, 1, {command(3, 4)}));
  server.persist();
  CHECK(server.raft.is_below_floor());
  server.receive("2", Heartbeat{Term{4}, Index{2}, 0, Index{5}});
  CHECK(server.raft.is_below_floor());
  SUBCASE("a later word of that leader asks for no more") {
    server.receive("2", Heartbeat{Term{4}, Index{2}, 0, Index{9}});
    server.receive("2", append_of(4, 3, 4, {command(4, 4), command(5, 4)}));
    server.receive("2", Heartbeat{Term{4}, Index{2}, 0, Index{9}});
    CHECK(server.raft.is_below_floor());  // received, and not durable
    server.persist();
    CHECK(!server.raft.is_below_floor());
    CHECK(server.output.hard_state);
  }
  SUBCASE("a later leader names its own end") {
    server.receive("3", Heartbeat{Term{5}, Index{2}, 0, Index{4}});
    server.persist();
    CHECK(server.raft.is_below_floor());  // this leader's log may differ from here on
    server.receive("3", append_of(5, 2, 1, {command(3, 5), command(4, 5)}));
    server.persist();
    CHECK(!server.raft.is_below_floor());
  }
  SUBCASE("what was reached of another leader's log does not count") {
    server.receive("3", append_of(5, 2, 1, {command(3, 5), command(4, 5), command(5, 5)}));
    server.persist();
    CHECK(server.raft.is_below_floor());
  }
}

}  // namespace zatt::raft
