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
  const std::string large = "\"" + std::string(600'000, 'x') + "\"";
  fixture.ask(R"({"op":"set","key":"k","value":)" + large + "}");
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

TEST_CASE("reads: what had no room for its answer gets it when there is some") {
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
  read();
  read();  // two answers are made, and wait for the writes before them
  const auto forwards = fixture.peer("0").take_all<Forward>();
  REQUIRE(forwards.size() == 2);
  CHECK(answer({forwards[0].number, What::overloaded, {}}) == 2);
  CHECK(answer({forwards[1].number, What::overloaded, {}}) == 3);
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

TEST_CASE("reads: stale answers behind a write that waits do not gather without bound") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({set_command("k", "\"" + std::string(1'000'000, 'x') + "\"")});
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"set","key":"w","value":1})");  // never answered
  fixture.settle();
  int lines = 0;
  for (; lines < 200 && fixture.env.clients[c].wanted; ++lines) {
    fixture.line(c, R"({"op":"get","key":"k","stale":true})");
    fixture.settle();
  }
  CHECK(lines <= 8);
  CHECK(fixture.replies(c).empty());
  fixture.pass_ms(5100);
  CHECK(fixture.replies(c).size() == static_cast<std::size_t>(lines) + 1);
  CHECK(fixture.env.clients[c].wanted);
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

}  // namespace zatt::node
