// SPDX-License-Identifier: AGPL-3.0-or-later
// How long a read waits, and how much waits with it.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "kv/reply.h"
#include "tests/node/reads.h"

namespace zatt::node {
namespace {

using codec::Forward;
using codec::ReadIndex;
using test::is_error;
using test::Lines;
using test::NodeFixture;
using test::set_command;

// 600 KB: an answer that shows it is much of what may wait for a client.
void set_large_k(NodeFixture& fixture) {
  fixture.ask(R"({"op":"set","key":"k","value":")" + std::string(600'000, 'x') + "\"}");
}

}  // namespace

TEST_CASE("reads: one that times out does not hold up those behind it") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"get","key":"k","timeout_ms":50})");
  fixture.settle();
  fixture.line(c, get_k);
  fixture.settle();
  const auto asked = fixture.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  confirm(fixture, asked[1], fixture.leader_last);
  CHECK(fixture.replies(c).empty());
  fixture.pass_ms(60);
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[0], "unavailable"));
  CHECK(said[1] == absent);
}

TEST_CASE("reads: large answers are made only as fast as their client reads them") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  set_large_k(fixture);
  const ClientId c = fixture.client();
  fixture.env.clients[c].reads = false;
  for (int i = 0; i < 20; ++i) fixture.line(c, get_k);
  fixture.settle();
  CHECK(fixture.replies(c).size() == 2);
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  std::size_t all = 2;
  for (int i = 0; i < 20; ++i) {
    fixture.env.clients[c].unread_bytes = 0;
    fixture.node->on_client_room(c);
    fixture.settle();
    const std::size_t more = fixture.replies(c).size();
    CHECK(more <= 2);
    all += more;
  }
  CHECK(all == 20);
}

TEST_CASE(
    "reads: behind a write they are answered once it is, and the write behind them then goes") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({set_command("k", "\"" + std::string(600'000, 'x') + "\"")});
  const ClientId c = fixture.client();
  const std::string set = R"({"op":"set","key":"w","value":1})";
  const auto read = [&] {
    fixture.line(c, get_k);
    fixture.settle();
    confirm(fixture, *fixture.peer("0").take<ReadIndex>(), fixture.leader_last);
  };
  const auto answer = [&](const codec::ForwardReply& reply) {
    fixture.peer("0").say(reply);
    return fixture.replies(c).size();
  };
  using What = codec::ForwardReply::What;
  fixture.line(c, set);
  fixture.settle();
  read();
  fixture.line(c, set);
  fixture.settle();
  const auto first = fixture.peer("0").take_all<Forward>();
  REQUIRE(first.size() == 1);  // the read must not see the second
  CHECK(answer({first[0].number, What::overloaded, {}}) == 2);
  const auto second = fixture.peer("0").take_all<Forward>();
  REQUIRE(second.size() == 1);
  read();
  read();
  CHECK(answer({second[0].number, What::overloaded, {}}) == 3);
}

TEST_CASE("reads: a lone member goes from a read to the write behind it in one turn") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  const ClientId c = fixture.client();
  for (int i = 0; i < 4; ++i) {
    fixture.line(c, get_k);
    fixture.line(c, R"({"op":"incr","key":"k"})");
  }
  fixture.settle();
  CHECK(fixture.replies(c).size() == 8);
}

TEST_CASE("reads: stale answers behind a write that waits are not made before they can leave") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({set_command("k", "\"" + std::string(1'000'000, 'x') + "\"")});
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"set","key":"w","value":1})");  // never answered
  for (int i = 0; i < 200; ++i) fixture.line(c, R"({"op":"get","key":"k","stale":true})");
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  CHECK(fixture.env.clients[c].wanted);  // nothing is kept for it
  fixture.env.clients[c].reads = false;
  fixture.pass_ms(5100);
  CHECK(fixture.replies(c).size() == 3);  // what was to be written; and what fits, and one more
  fixture.env.clients[c].reads = true;
  fixture.env.clients[c].unread_bytes = 0;
  fixture.node->on_client_room(c);
  fixture.settle();
  CHECK(fixture.replies(c).size() == 198);
}

TEST_CASE("reads: a stale one sees no write behind it, and holds up none before it") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({set_command("w", "0")});
  const ClientId c = fixture.client();
  const std::string set = R"({"op":"set","key":"w","value":1})";
  const std::string stale = R"({"op":"get","key":"w","stale":true})";
  for (const std::string& line : {set, stale, set}) fixture.line(c, line);
  fixture.settle();
  const auto first = fixture.peer("0").take_all<Forward>();
  REQUIRE(first.size() == 1);
  // The leader takes it not, and leads no more: it waits again, before a read that waits for nobody.
  fixture.peer("0").say(
      codec::ForwardReply{first[0].number, codec::ForwardReply::What::not_taken, {}});
  CHECK(fixture.replies(c).empty());
  fixture.follow("2", 2);
  fixture.settle();
  const auto again = fixture.peer("2").take_all<Forward>();
  REQUIRE(again.size() == 1);
  fixture.peer("2").say(
      codec::ForwardReply{again[0].number, codec::ForwardReply::What::overloaded, {}});
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(said[1].find(R"("value":0)") != std::string::npos);
  CHECK(fixture.peer("2").take_all<Forward>().size() == 1);
}

TEST_CASE("reads: answers behind a read do not take the room that its own needs") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({set_command("k", "\"" + std::string(1'000'000, 'x') + "\"")});
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  const auto read = fixture.peer("0").take<ReadIndex>();
  REQUIRE(read);
  for (int i = 0; i < 2; ++i) fixture.line(c, R"({"op":"get","key":"k","stale":true})");
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  confirm(fixture, *read, fixture.node->raft().commit_index());
  fixture.settle();
  CHECK(fixture.replies(c).size() == 3);
}

TEST_CASE(
    "responses: a turn that is over leaves the rest to the next, and to those who wait longest") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  const ClientId clients[] = {fixture.client(), fixture.client(), fixture.client()};
  for (const ClientId c : clients)
    for (int i = 0; i < 2; ++i) fixture.line(c, R"({"op":"ping"})");
  fixture.env.short_turns = true;
  std::string order;
  for (int turn = 0; turn < 6; ++turn) {
    fixture.node->flush();
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t n = fixture.replies(clients[i]).size(); n > 0; --n) order += "abc"[i];
    if (turn < 5) CHECK(fixture.node->wake_at_us() == fixture.env.now);
  }
  CHECK(order == "abcabc");
  CHECK(fixture.node->backlog() == 0);
  CHECK(fixture.node->wake_at_us() > fixture.env.now);
}

TEST_CASE("responses: a node that stops first gives those that a turn has left") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  const ClientId c = fixture.client();
  for (int i = 0; i < 3; ++i) fixture.line(c, R"({"op":"ping"})");
  fixture.env.short_turns = true;
  fixture.node->shut_down();
  fixture.node->flush();
  CHECK_FALSE(fixture.node->is_idle());
  for (int i = 0; i < 10; ++i) fixture.settle();
  CHECK(fixture.replies(c).size() == 3);
  CHECK(fixture.node->is_idle());
}

TEST_CASE("reads: where all room is taken by those who do not read, the others wait in line") {
  NodeFixture fixture("0", 1);
  fixture.options.max_buffer_bytes = 4 << 20;
  fixture.lead_alone();
  set_large_k(fixture);
  fixture.ask(R"({"op":"set","key":"small","value":1})");
  std::vector<ClientId> idle;
  std::size_t all = 0;
  for (int i = 0; i < 10; ++i) {
    idle.push_back(fixture.client());
    fixture.env.clients[idle.back()].reads = false;
    for (int n = 0; n < 4; ++n) fixture.line(idle.back(), get_k);
    fixture.settle();
    all += fixture.replies(idle.back()).size();
  }
  CHECK(all >= 2);
  CHECK(all * 600'000 < 2 << 20);  // half of the four
  CHECK(fixture.env.rooms_wanted > 0);
  // What is small finds room; what is large waits until there is some.
  CHECK(fixture.ask(R"({"op":"get","key":"small"})").find("\"value\":1") != std::string::npos);
  const ClientId c = fixture.client();
  fixture.line(c, get_k);
  fixture.settle();
  CHECK(fixture.replies(c).empty());
  SUBCASE("which comes when they read") {
    for (const ClientId id : idle) fixture.env.clients[id].unread_bytes = 0;
    for (int i = 0; i < 4; ++i) fixture.settle();
    CHECK(fixture.replies(c).size() == 1);
  }
  SUBCASE("or are ended") {
    for (const ClientId id : idle) {
      fixture.env.clients.erase(id);
      fixture.node->on_client_closed(id);
    }
    for (int i = 0; i < 4; ++i) fixture.settle();
    CHECK(fixture.replies(c).size() == 1);
  }
  SUBCASE("or does not come in time") {
    fixture.pass_ms(5000);
    const Lines said = fixture.replies(c);
    REQUIRE(said.size() == 1);
    CHECK(is_error(said[0], "overloaded", "no room for the answer in time"));
  }
}

TEST_CASE("writes: what was refused, for a reason that there is no room to tell, is overloaded") {
  NodeFixture fixture("0", 1);
  fixture.options.max_buffer_bytes = 4 << 20;
  fixture.lead_alone();
  set_large_k(fixture);
  const ClientId c = fixture.client();
  fixture.env.clients[c].reads = false;
  const std::string refused = R"({"op":"set","key":"k","value":1,"if":{"rev":9}})";
  for (int i = 0; i < 3; ++i) fixture.line(c, refused);
  CHECK_FALSE(fixture.env.clients[c].wanted);  // what they may be answered counts
  fixture.settle();
  const Lines said = fixture.replies(c);
  REQUIRE(said.size() == 3);
  CHECK(is_error(said[0], "condition_failed"));
  CHECK(is_error(said[2], "overloaded", "nothing was written"));
  fixture.line(c, R"({"op":"set","key":"k","value":1})");
  fixture.settle();
  CHECK(fixture.replies(c).at(0).find("\"ok\":true") != std::string::npos);  // that one was
}

}  // namespace zatt::node
