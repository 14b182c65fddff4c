// SPDX-License-Identifier: AGPL-3.0-or-later
// src/raft/follower.cc: the leader's entries in, promises out.
#include <doctest/doctest.h>

#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

std::vector<std::uint64_t> terms_of(const Log& log) {
  std::vector<std::uint64_t> terms;
  for (Index i{1}; i <= log.last_index(); ++i) terms.push_back(raw(log.term_at(i)));
  return terms;
}
using Terms = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("append: acknowledged only when durable, as far as it is durable") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1)}));
  CHECK(server.output.messages.empty());
  const WriteNumber first = server.last_write;
  server.receive("2", append_of(1, 2, 1, {command(3, 1)}));
  CHECK(server.output.messages.empty());
  server.step(Persisted{first});
  auto replies = server.sent<AppendReply>("2");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].success);
  CHECK(replies[0].match_index == Index{2});
  CHECK(replies[0].received_index == Index{3});
  server.persist();
  replies = server.sent<AppendReply>("2");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].match_index == Index{3});
}

TEST_CASE("append: what arrives is answered at once, and promises nothing") {
  Options options;
  options.max_append_bytes = 4 * cost(100);
  options.max_in_flight_bytes = 10 * cost(100);
  OneServer server(voters({"1", "2", "3"}), options);
  server.receive("2", Heartbeat{Term{1}, Index{0}, 0, Index{3}});
  const WriteNumber term = server.last_write;
  const std::string body(100, 'x');
  server.receive("2", append_of(1, 1, 0, {command(2, 1, body), command(3, 1, body)}));
  CHECK(server.output.messages.empty());  // not before its term is durable: paper 5.1
  server.step(Persisted{term});
  auto replies = server.sent<AppendReply>("2");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].success);
  CHECK(replies[0].received_index == Index{3});
  CHECK(replies[0].match_index == Index{1});
  CHECK(replies[0].takes == 8 * cost(100));  // as much as may be under way, less what waits

  server.receive("2", append_of(1, 3, 1, {command(4, 1)}, 4));
  CHECK(server.sent<AppendReply>("2").empty());  // little waits for its sync
  server.receive("2", append_of(1, 4, 1, {command(5, 1, body)}, 5));
  replies = server.sent<AppendReply>("2");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].received_index == Index{5});
  CHECK(replies[0].match_index == Index{1});
  server.persist();
  replies = server.sent<AppendReply>("2");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].match_index == Index{5});
  CHECK(replies[0].takes == 10 * cost(100));
}

TEST_CASE("append: a follower takes what its disk keeps in a second, and 8 MiB at most") {
  struct Row {
    const char* why;
    std::uint64_t us;  // for a mebibyte
    std::uint64_t takes;
  };
  const Row rows[] = {{"a slow disk", 500'000, 2 << 20},
                      {"a fast one", 10'000, 8 << 20},
                      {"one message in any case", 100'000'000, 256 << 10}};
  for (const Row& row : rows) {
    CAPTURE(row.why);
    OneServer server;
    server.receive("2", Heartbeat{Term{1}, Index{0}, 0, Index{1}});
    server.persist();
    CHECK(server.sent<HeartbeatReply>("2").at(0).takes == 1 << 20);  // not known yet
    const std::string body((1 << 20) - entry_bytes, 'x');
    server.receive("2", append_of(1, 1, 0, {command(2, 1, body)}));
    REQUIRE(server.sent<AppendReply>("2").size() == 1);
    CHECK(server.sent<AppendReply>("2")[0].takes == 0);
    server.now_us += row.us;
    server.persist();
    REQUIRE(server.sent<AppendReply>("2").size() == 1);
    CHECK(server.sent<AppendReply>("2")[0].takes == row.takes);
    server.receive("2", append_of(1, 9, 1));
    REQUIRE(server.sent<AppendReply>("2").size() == 1);
    CHECK(server.sent<AppendReply>("2")[0].takes == row.takes);  // in a refusal, too
  }
}

TEST_CASE("append: what is durable already is acknowledged at once") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1), command(3, 1)}));
  server.persist();
  server.receive("2", append_of(1, 1, 0, {command(2, 1)}));
  CHECK(server.output.write == WriteNumber{});
  REQUIRE(server.sent<AppendReply>().size() == 1);
  CHECK(server.sent<AppendReply>()[0].match_index == Index{3});
  CHECK(terms_of(server.raft.log()) == Terms{0, 1, 1});  // a late one cuts nothing
}

TEST_CASE("append: a suffix of another term is replaced, in one write") {
  OneServer server({command(2, 1), command(3, 1), command(4, 1)}, {Term{1}, std::nullopt});
  server.receive("2", append_of(2, 2, 1, {command(3, 2)}));
  CHECK(server.output.truncate == Index{2});
  REQUIRE(server.output.append.size() == 1);
  CHECK(server.output.append[0].index == Index{3});
  CHECK(server.output.hard_state);
  CHECK(terms_of(server.raft.log()) == Terms{0, 1, 2});
  CHECK(server.raft.durable_index() == Index{2});
  server.persist();
  CHECK(server.raft.durable_index() == Index{3});
}

TEST_CASE("append: a completion of what was cut raises nothing") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1), command(3, 1), command(4, 1)}));
  const WriteNumber first = server.last_write;
  server.receive("3", append_of(2, 1, 0, {command(2, 2)}));
  const WriteNumber second = server.last_write;
  server.receive("3", append_of(2, 2, 2, {command(3, 2)}));
  server.step(Persisted{first});
  CHECK(server.raft.durable_index() == Index{1});  // entry 2 means another one by now
  CHECK(server.output.messages.empty());           // and term 2 is not durable
  server.step(Persisted{second});
  CHECK(server.raft.durable_index() == Index{2});
  server.persist();
  CHECK(server.raft.durable_index() == Index{3});
  CHECK(server.sent<AppendReply>("3").at(0).match_index == Index{3});
}

TEST_CASE("append: a refusal says where the logs may meet, and writes no entry") {
  OneServer server({command(2, 1), command(3, 1), command(4, 4), command(5, 4)},
                   {Term{4}, std::nullopt});
  struct Row {
    const char* why;
    std::uint64_t prev, prev_term, hint, hint_term;
  };
  const Row rows[] = {
      {"our log is shorter", 9, 4, 5, 4},
      {"another term there: below ours of term 4", 5, 3, 3, 1},
      {"a longer log of an older term", 9, 2, 3, 1},
      {"nothing but the beginning", 4, 0, 1, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    server.receive("2", append_of(4, row.prev, row.prev_term));
    const auto replies = server.sent<AppendReply>("2");
    REQUIRE(replies.size() == 1);
    CHECK(!replies[0].success);
    CHECK(replies[0].rejected == Index{row.prev});
    CHECK(replies[0].hint_index == Index{row.hint});
    CHECK(replies[0].hint_term == Term{row.hint_term});
    CHECK(replies[0].match_index == Index{0});
    CHECK(server.output.write == WriteNumber{});
  }
}

TEST_CASE("commit: no further than this leader has verified") {
  // Entries 3 to 5 are another leader's leftovers.
  OneServer server({command(2, 1), command(3, 1), command(4, 1), command(5, 1)},
                   {Term{1}, std::nullopt});
  server.receive("2", Heartbeat{Term{2}, Index{5}, 0});
  CHECK(server.raft.commit_index() == Index{0});
  server.receive("2", append_of(2, 2, 1, {}, 5));
  CHECK(server.raft.commit_index() == Index{2});
  server.receive("2", Heartbeat{Term{2}, Index{5}, 0});
  CHECK(server.raft.commit_index() == Index{2});
  server.step(LeaderCommit{Term{2}, Index{5}});
  CHECK(server.raft.commit_index() == Index{2});
  server.receive("2", append_of(2, 2, 1, {command(3, 2)}, 3));
  CHECK(server.raft.commit_index() == Index{3});
  server.receive("2", Heartbeat{Term{2}, Index{1}, 0});  // an old word
  CHECK(server.raft.commit_index() == Index{3});
  // A new leader: verified anew.
  server.receive("3", Heartbeat{Term{3}, Index{9}, 0});
  CHECK(server.raft.commit_index() == Index{3});
}

TEST_CASE("commit hint: of this term, to a follower") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1)}));
  server.step(LeaderCommit{Term{2}, Index{2}});
  CHECK(server.raft.commit_index() == Index{0});
  server.step(LeaderCommit{Term{1}, Index{2}});
  CHECK(server.raft.commit_index() == Index{2});
}

TEST_CASE("heartbeat: answered as soon as the term is durable, without waiting for entries") {
  OneServer server;
  server.receive("2", append_of(1, 1, 0, {command(2, 1)}));
  server.receive("2", Heartbeat{Term{1}, Index{0}, 7});
  CHECK(server.output.messages.empty());
  server.persist();
  REQUIRE(server.sent<HeartbeatReply>().size() == 1);

  server.receive("2", append_of(1, 2, 1, {command(3, 1)}));  // its disk is slow from here on
  server.receive("2", Heartbeat{Term{1}, Index{0}, 8});
  const auto replies = server.sent<HeartbeatReply>("2");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].round == 8);
  CHECK(replies[0].match_index == Index{2});  // nothing that is not durable
  CHECK(replies[0].received_index == Index{3});
}

TEST_CASE("an old leader hears of the new term, and resets nothing") {
  OneServer server({}, {Term{5}, std::nullopt});
  const std::uint64_t wake = server.raft.wake_at_us();
  server.now_us += 1000;
  server.receive("2", Heartbeat{Term{4}, Index{1}, 3});
  REQUIRE(server.sent<HeartbeatReply>("2").size() == 1);
  CHECK(server.sent<HeartbeatReply>("2")[0].term == Term{5});
  CHECK(server.sent<HeartbeatReply>("2")[0].round == 0);
  server.receive("2", append_of(4, 1, 0, {command(2, 4)}));
  REQUIRE(server.sent<AppendReply>("2").size() == 1);
  CHECK(server.sent<AppendReply>("2")[0].term == Term{5});
  CHECK(!server.sent<AppendReply>("2")[0].success);
  CHECK(server.raft.log().last_index() == Index{1});
  CHECK(server.raft.commit_index() == Index{0});
  CHECK(server.raft.wake_at_us() == wake);
  CHECK(!server.raft.leader());
}

TEST_CASE("a full disk is said in every answer") {
  OneServer server;
  server.step(DiskSpaceChanged{DiskSpace::low});
  server.receive("2", append_of(1, 1, 0));
  server.persist();
  server.receive("2", append_of(1, 1, 0));
  CHECK(server.sent<AppendReply>().at(0).room == DiskSpace::low);
  server.receive("2", append_of(1, 9, 1));
  CHECK(server.sent<AppendReply>().at(0).room == DiskSpace::low);
  server.receive("2", Heartbeat{Term{1}, Index{0}, 0});
  CHECK(server.sent<HeartbeatReply>().at(0).room == DiskSpace::low);
  server.step(DiskSpaceChanged{DiskSpace::enough});
  server.receive("2", Heartbeat{Term{1}, Index{0}, 0});
  CHECK(server.sent<HeartbeatReply>().at(0).room == DiskSpace::enough);
}

TEST_CASE("a configuration is in force when appended, and rolled back when cut") {
  OneServer server;
  const Configuration before = server.raft.configuration();
  std::string body;
  encode(voters({"1", "2", "3", "4"}), body);
  server.receive("2", append_of(1, 1, 0, {{Index{2}, Term{1}, 0, EntryKind::configuration, body}}));
  CHECK(server.raft.configuration().members.size() == 4);
  CHECK(server.raft.configuration_index() == Index{2});
  server.receive("3", append_of(2, 1, 0, {command(2, 2)}));
  CHECK(server.raft.configuration() == before);
  CHECK(server.raft.configuration_index() == Index{1});
}

}  // namespace zatt::raft
