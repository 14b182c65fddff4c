// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft/replication.cc: entries out, answers in, commit_index up.
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

AppendReply refusal(std::uint64_t rejected, std::uint64_t hint, std::uint64_t hint_term,
                    std::uint64_t term = 1) {
  AppendReply reply;
  reply.term = Term{term};
  reply.rejected = Index{rejected};
  reply.hint_index = Index{hint};
  reply.hint_term = Term{hint_term};
  return reply;
}

constexpr std::uint64_t timeout = 600'000;

}  // namespace

TEST_CASE("propose: taken by a leader only, in order, sent while it is written") {
  OneServer server;
  server.propose();
  CHECK(server.output.proposed == Index{0});
  server.elect();
  server.persist();
  server.acknowledge("2", Index{2});
  server.step(Propose{server.term(), {{EntryKind::command, "a"}, {EntryKind::command, "b"}}});
  CHECK(server.output.proposed == Index{3});
  REQUIRE(server.output.append.size() == 2);
  CHECK(server.output.append[1].body == "b");
  const auto sent = server.sent<AppendEntries>("2");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].prev_log_index == Index{2});
  CHECK(sent[0].entries.size() == 2);
  CHECK(server.sent<AppendEntries>("3").empty());  // its first answer has not come yet
}

TEST_CASE("commit: own disk and one follower of three, each once durable") {
  OneServer server;
  server.elect();
  server.acknowledge("2", Index{2});
  CHECK(server.raft.commit_index() == Index{0});  // our own disk has not kept it
  server.persist();
  CHECK(server.raft.commit_index() == Index{2});
  server.propose();
  server.persist();
  CHECK(server.raft.commit_index() == Index{2});
  server.acknowledge("3", Index{3});
  CHECK(server.raft.commit_index() == Index{3});
}

TEST_CASE("commit: two durable followers are a majority before our own disk") {
  OneServer server;
  server.elect();
  server.acknowledge("2", Index{2});
  server.acknowledge("3", Index{2});
  CHECK(server.raft.commit_index() == Index{2});
}

TEST_CASE("window: several AppendEntries in flight, bounded in bytes; answers open it") {
  Options options;
  options.max_append_bytes = cost(1);
  options.max_in_flight_bytes = 3 * cost(1);
  OneServer server(voters({"1", "2", "3"}), options);
  server.elect();
  server.persist();
  server.acknowledge("2", Index{2});
  std::size_t sent = 0;
  for (int i = 0; i < 5; ++i) {
    server.propose("x");
    sent += server.sent<AppendEntries>("2").size();
  }
  CHECK(sent == 3);
  CHECK(server.progress("2").in_flight_bytes == 3 * cost(1));
  server.acknowledge("2", Index{3});
  const auto next = server.sent<AppendEntries>("2");
  REQUIRE(next.size() == 1);
  CHECK(next[0].entries.at(0).index == Index{6});
}

TEST_CASE("window: one goes alone after a rejection, and each answer lets more follow") {
  Options options;
  options.max_append_bytes = cost(1);
  OneServer server(voters({"1", "2", "3"}), options);
  server.elect();
  server.persist();
  for (int i = 0; i < 40; ++i) server.propose("x");
  server.acknowledge("2", Index{2});
  REQUIRE(server.sent<AppendEntries>("2").size() == 40);
  // The first was overtaken by all others, which are rejected one by one; then it arrives.
  server.receive("2", refusal(40, 2, 1));
  CHECK(server.sent<AppendEntries>("2").size() == 1);
  for (std::uint64_t rejected = 3; rejected < 40; ++rejected) {
    server.receive("2", refusal(rejected, 2, 1));
    CHECK(server.sent<AppendEntries>("2").size() <= 1);
  }
  // Late rejections between the answers: never more out than came in.
  for (std::uint64_t arrived = 3; arrived < 20; ++arrived) {
    server.acknowledge("2", Index{arrived});
    CHECK(server.sent<AppendEntries>("2").size() <= 2);
    server.receive("2", refusal(arrived + 10, arrived, 1));
    CHECK(server.sent<AppendEntries>("2").size() == 1);
  }
  std::size_t most = 0;
  for (std::uint64_t arrived = 20; arrived <= 42; ++arrived) {
    server.acknowledge("2", Index{arrived});
    most = std::max(most, server.progress("2").in_flight.size());
  }
  CHECK(most > 4);  // and it opens again
  CHECK(server.progress("2").next_index == Index{43});
}

TEST_CASE("what waited for an answer goes as one batch") {
  OneServer server;
  server.elect();
  server.persist();
  for (int i = 0; i < 4; ++i) server.propose("x");
  server.acknowledge("2", Index{2});  // of the probe
  const auto sent = server.sent<AppendEntries>("2");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].entries.size() == 4);
}

TEST_CASE("refusal: back by whole terms, to where the logs may meet") {
  OneServer server({command(2, 1), command(3, 1), command(4, 3), command(5, 3)},
                   {Term{3}, std::nullopt});
  server.elect();
  server.persist();
  REQUIRE(server.progress("2").next_index == Index{6});
  server.receive("2", refusal(5, 5, 2, 4));  // its last entry there is of term 2
  const auto sent = server.sent<AppendEntries>("2");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].prev_log_index == Index{3});
  CHECK(sent[0].prev_log_term == Term{1});
  CHECK(sent[0].entries.size() == 3);
  server.receive("2", refusal(5, 5, 2, 4));  // said twice: answers a probe that is over
  CHECK(server.sent<AppendEntries>("2").empty());
}

TEST_CASE("answers: only of this term, and no match by a refusal, a repeat or an old one") {
  OneServer server;
  server.elect();
  server.persist();
  server.propose();
  server.persist();
  AppendReply old;
  old.term = Term{0};
  old.success = true;
  old.match_index = old.received_index = Index{3};
  server.receive("2", old);
  CHECK(server.progress("2").match_index == Index{0});
  AppendReply refused = refusal(1, 0, 0);
  refused.match_index = refused.received_index = Index{3};
  server.receive("2", refused);
  CHECK(server.progress("2").match_index == Index{0});
  CHECK(server.raft.commit_index() == Index{0});

  server.acknowledge("2", Index{3});
  CHECK(server.progress("2").match_index == Index{3});
  server.acknowledge("2", Index{2});  // overtaken
  CHECK(server.progress("2").match_index == Index{3});
  server.receive("2", refusal(2, 0, 0));  // a late refusal from before
  CHECK(server.progress("2").state == Progress::State::replicate);
  CHECK(server.output.messages.empty());
  CHECK(server.progress("2").match_index == Index{3});
  CHECK(server.progress("2").next_index == Index{4});
  CHECK(server.raft.commit_index() == Index{3});
}

TEST_CASE("answers to an earlier leadership's heartbeats: no match, no round, no sign of life") {
  OneServer server;
  server.elect();
  server.persist();
  server.step(ReadRequests{server.term(), {{1, false}}});
  const std::uint64_t last_contact_us = server.progress("2").last_contact_us;
  server.now_us += 100'000;
  HeartbeatReply old;
  old.term = Term{0};
  old.round = 1;  // rounds are numbered anew in each term
  old.match_index = old.received_index = Index{2};
  server.receive("2", old);
  CHECK(server.output.reads.empty());
  CHECK(server.progress("2").match_index == Index{0});
  CHECK(server.progress("2").last_contact_us == last_contact_us);
  CHECK(server.raft.commit_index() == Index{0});

  old.term = Term{1};  // of this one, the same answer is all of it
  server.receive("2", old);
  CHECK(server.output.reads.size() == 1);
  CHECK(server.raft.commit_index() == Index{2});
}

TEST_CASE("answers of a stranger, or of the wiped directory, count for nobody") {
  OneServer server;
  server.elect();
  server.persist();
  AppendReply reply;
  reply.term = Term{1};
  reply.success = true;
  reply.match_index = reply.received_index = Index{2};
  const Message message = reply;
  server.step(Received{{"9", 1}, &message});
  server.step(PeerUp{{"2", 99}, BootId{5}});  // known id, another incarnation: it is sent the log
  CHECK(server.output.messages.size() == 1);
  server.step(Received{{"2", 99}, &message});
  CHECK(server.raft.commit_index() == Index{0});
}

TEST_CASE("a learner is sent only what is committed") {
  OneServer server(voters({"1", "2"}, {"3"}));
  server.elect({"2"});
  server.persist();
  server.acknowledge("3", Index{1});
  CHECK(server.sent<AppendEntries>("3").empty());
  server.acknowledge("2", Index{2});
  CHECK(server.raft.commit_index() == Index{2});
  const auto sent = server.sent<AppendEntries>("3");
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].entries.at(0).index == Index{2});
}

TEST_CASE("another process of a peer: what its log held is forgotten, what is committed stays") {
  OneServer server;
  server.elect();
  server.persist();
  server.acknowledge("2", Index{2});
  REQUIRE(server.raft.commit_index() == Index{2});
  server.step(PeerDown{peer("2")});
  server.propose();
  CHECK(server.sent<AppendEntries>("2").empty());
  server.step(PeerUp{peer("2"), BootId{1}});  // the same process: what it stored, it stores
  CHECK(server.progress("2").match_index == Index{2});
  CHECK(server.sent<AppendEntries>("2").size() == 1);
  server.step(PeerDown{peer("2")});
  server.step(PeerUp{peer("2"), BootId{2}});
  CHECK(server.progress("2").match_index == Index{0});
  CHECK(server.progress("2").next_index > server.progress("2").match_index);
  CHECK(server.raft.commit_index() == Index{2});
}

TEST_CASE("a lost message is sent again, with growing patience") {
  OneServer server;
  server.elect();
  server.persist();
  server.acknowledge("2", Index{2});
  server.propose("lost");
  REQUIRE(server.sent<AppendEntries>("2").size() == 1);
  std::vector<std::uint64_t> again_at;
  const std::uint64_t since = server.now_us;
  while (server.now_us - since < 10 * timeout) {
    server.fire();
    server.receive("2", HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::enough});
    const auto sent = server.sent<AppendEntries>("2");
    if (sent.empty()) continue;
    CHECK(sent[0].entries.at(0).body == "lost");
    again_at.push_back(server.now_us - since);
  }
  REQUIRE(again_at.size() >= 2);
  CHECK(again_at.size() <= 5);
  CHECK(again_at[0] <= 2 * timeout);
  CHECK(again_at[1] - again_at[0] > again_at[0]);
}

TEST_CASE("what has arrived is not sent again because a disk is slow") {
  OneServer server;
  server.elect();
  server.persist();
  server.acknowledge("2", Index{2});
  server.propose();
  const std::uint64_t since = server.now_us;
  server.persist();
  while (server.now_us - since < 20 * timeout) {
    server.fire();
    server.receive("2", HeartbeatReply{Term{1}, 0, Index{2}, Index{3}, DiskSpace::enough});
    REQUIRE(server.sent<AppendEntries>("2").empty());
  }
  CHECK(server.progress("2").match_index == Index{2});
}

TEST_CASE("heartbeats go to all who are connected, a fifth of a timeout apart, whatever the disk") {
  OneServer server;
  server.elect();  // its no-op is never written
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t before = server.now_us;
    server.fire();
    CHECK(server.now_us - before == timeout / 5);
    CHECK(server.sent<Heartbeat>().size() == 2);
  }
  server.step(PeerDown{peer("3")});
  server.fire();
  CHECK(server.sent<Heartbeat>("2").size() == 1);
  CHECK(server.sent<Heartbeat>("3").empty());
}

TEST_CASE("room: what a quorum's disks have, our own included") {
  OneServer server;
  server.elect();
  server.persist();
  CHECK(server.raft.room() == DiskSpace::enough);
  server.receive("2", HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::low});
  CHECK(server.raft.room() == DiskSpace::enough);
  AppendReply full;
  full.term = Term{1};
  full.success = true;
  full.room = DiskSpace::full;
  server.receive("3", full);
  CHECK(server.raft.room() == DiskSpace::low);
  server.receive("2", HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::enough});
  CHECK(server.raft.room() == DiskSpace::enough);
  server.step(DiskSpaceChanged{DiskSpace::low});
  CHECK(server.raft.room() == DiskSpace::low);
  server.step(DiskSpaceChanged{DiskSpace::full});
  CHECK(server.raft.room() == DiskSpace::full);
  server.step(DiskSpaceChanged{DiskSpace::enough});
  server.receive("2", HeartbeatReply{Term{1}, 0, Index{2}, Index{2}, DiskSpace::full});
  CHECK(server.raft.room() == DiskSpace::full);
}

}  // namespace zatt::raft
