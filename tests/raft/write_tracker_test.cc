// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/write_tracker.h"

#include <doctest/doctest.h>

namespace zatt::raft {
namespace {

const MemberId somebody{"2", 12};

Envelope append_reply(std::uint64_t term) {
  AppendReply reply;
  reply.term = Term{term};
  return {somebody, reply};
}
Envelope heartbeat_reply(const MemberId& to, std::uint64_t round) {
  HeartbeatReply reply;
  reply.term = Term{1};
  reply.round = round;
  return {to, reply};
}

WriteNumber write(WriteTracker& writes, std::uint64_t last, std::uint64_t now_us = 0,
                  std::uint64_t bytes = 0) {
  const WriteNumber number = writes.begin();
  writes.add(bytes);
  writes.submit(Index{last}, now_us);
  return number;
}

}  // namespace

TEST_CASE("write tracker: numbers ascend, and the log is durable as far as completed writes say") {
  WriteTracker writes;
  writes.restore(Index{3});
  CHECK(writes.durable_index() == Index{3});
  const WriteNumber first = write(writes, 5);
  const WriteNumber second = write(writes, 7);
  CHECK(second == first + 1);
  CHECK(writes.durable_index() == Index{3});
  writes.complete(first, 0);
  CHECK(writes.durable_index() == Index{5});
  CHECK(writes.is_durable(first));
  CHECK(!writes.is_durable(second));
  writes.complete(first, 0);  // said again
  writes.complete(second, 0);
  CHECK(writes.durable_index() == Index{7});
}

TEST_CASE(
    "write tracker: a write that was begun before a truncation makes no later entry durable") {
  WriteTracker writes;
  writes.restore(Index{2});
  const WriteNumber append = write(writes, 6);
  writes.truncate(Index{4});
  const WriteNumber truncate = write(writes, 8);
  writes.complete(append, 0);
  CHECK(writes.durable_index() == Index{4});
  writes.complete(truncate, 0);
  CHECK(writes.durable_index() == Index{8});
  writes.truncate(Index{1});  // of what is durable already
  CHECK(writes.durable_index() == Index{1});
}

TEST_CASE("write tracker: stuck is a disk on which nothing moves") {
  WriteTracker writes;
  CHECK(!writes.is_stuck(1000, 10));  // nothing is asked of it
  const WriteNumber first = write(writes, 1, 1000);
  write(writes, 2, 1000);
  CHECK(!writes.is_stuck(1010, 10));
  CHECK(writes.is_stuck(1011, 10));
  writes.complete(first, 1100);  // the second waited for this one
  CHECK(!writes.is_stuck(1110, 10));
  CHECK(writes.is_stuck(1111, 10));
}

TEST_CASE("write tracker: what is not durable is counted, and how fast it becomes so") {
  WriteTracker writes;
  CHECK(writes.disk_rate().bytes_per_s() == 0);
  const WriteNumber first = write(writes, 1, 1'000'000, 1 << 20);
  const WriteNumber second = write(writes, 2, 1'000'000, 2 << 20);
  CHECK(writes.undurable_bytes() == 3 << 20);
  writes.truncate(Index{1});  // the disk has it before it all the same
  CHECK(writes.undurable_bytes() == 3 << 20);
  writes.complete(WriteNumber{}, 1'400'000);  // it lives, and is done with nothing
  CHECK(writes.disk_rate().bytes_per_s() == 0);
  writes.complete(first, 1'500'000);
  CHECK(writes.undurable_bytes() == 2 << 20);
  CHECK(writes.disk_rate().bytes_per_s() == 2 << 20);
  writes.complete(second, 2'000'000);  // half a second behind the first
  CHECK(writes.undurable_bytes() == 0);
  CHECK(writes.disk_rate().bytes_per_s() == 4 << 20);
}

TEST_CASE("write tracker: of what has arrived, each peer hears once when its term is durable") {
  WriteTracker writes;
  const WriteNumber term = write(writes, 0);
  writes.set_term_write(term);
  for (std::uint64_t received = 1; received <= 100; ++received) {
    AppendReply reply;
    reply.term = Term{1};
    reply.success = true;
    reply.received_index = Index{received};
    writes.defer({}, {somebody, reply});
  }
  writes.defer({}, append_reply(1));  // a refusal is another matter
  writes.complete(term, 0);
  std::vector<Envelope> sent;
  writes.release(Term{1}, sent);
  REQUIRE(sent.size() == 2);
  CHECK(std::get<AppendReply>(sent[0].message).received_index == Index{100});
}

TEST_CASE("write tracker: a message waits for its write and for the term's") {
  WriteTracker writes;
  CHECK(writes.may_send({}));
  const WriteNumber term = write(writes, 0);
  writes.set_term_write(term);
  const WriteNumber vote = write(writes, 0);
  CHECK(!writes.may_send({}));
  writes.defer({}, append_reply(4));
  writes.defer(vote, append_reply(5));
  std::vector<Envelope> sent;
  writes.release(Term{4}, sent);
  CHECK(sent.empty());
  writes.complete(term, 0);
  CHECK(writes.may_send({}));
  CHECK(!writes.may_send(vote));
  writes.release(Term{4}, sent);
  REQUIRE(sent.size() == 1);
  CHECK(term_of(sent[0].message) == Term{4});
  writes.complete(vote, 0);
  writes.release(Term{4}, sent);
  REQUIRE(sent.size() == 2);
  CHECK(term_of(sent[1].message) == Term{5});
}

TEST_CASE("write tracker: what was meant in an earlier term is not said any more") {
  WriteTracker writes;
  const WriteNumber number = write(writes, 1);
  writes.defer(number, append_reply(1));
  writes.defer(number, append_reply(2));
  writes.complete(number, 0);
  std::vector<Envelope> sent;
  writes.release(Term{2}, sent);
  REQUIRE(sent.size() == 1);
  CHECK(term_of(sent[0].message) == Term{2});
}

TEST_CASE("write tracker: of the answers to heartbeats that wait, each peer's last is kept") {
  WriteTracker writes;
  const WriteNumber number = write(writes, 1);
  const MemberId other{"3", 13};
  for (std::uint64_t round = 1; round <= 100; ++round)
    writes.defer(number, heartbeat_reply(somebody, round));
  writes.defer(number, heartbeat_reply(other, 7));
  writes.complete(number, 0);
  std::vector<Envelope> sent;
  writes.release(Term{1}, sent);
  REQUIRE(sent.size() == 2);
  CHECK(std::get<HeartbeatReply>(sent[0].message).round == 100);
  CHECK(sent[1].to == other);
}

}  // namespace zatt::raft
