// SPDX-License-Identifier: AGPL-3.0-or-later
// src/node/reads.cc: how long a read waits, and how much waits with it.
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
using test::set_command;
using test::Stage;

}  // namespace

TEST_CASE("reads: one that times out does not hold up those behind it") {
  Stage stage("1");
  stage.follow("0");
  const ClientId c = stage.client();
  stage.line(c, R"({"op":"get","key":"k","timeout_ms":50})");
  stage.settle();
  stage.line(c, get_k);
  stage.settle();
  const auto asked = stage.peer("0").take_all<ReadIndex>();
  REQUIRE(asked.size() == 2);
  confirm(stage, asked[1], stage.leader_last);
  CHECK(stage.replies(c).empty());
  stage.pass_ms(60);
  const Lines said = stage.replies(c);
  REQUIRE(said.size() == 2);
  CHECK(is_error(said[0], "unavailable"));
  CHECK(said[1] == absent);
}

TEST_CASE("reads: large answers are made only as fast as their client reads them") {
  Stage stage("0", 1);
  stage.lead_alone();
  const std::string large = "\"" + std::string(600'000, 'x') + "\"";
  stage.ask(R"({"op":"set","key":"k","value":)" + large + "}");
  const ClientId c = stage.client();
  stage.env.clients[c].reads = false;
  for (int i = 0; i < 20; ++i) stage.line(c, get_k);
  stage.settle();
  CHECK(stage.replies(c).size() == 2);
  stage.settle();
  CHECK(stage.replies(c).empty());
  std::size_t all = 2;
  for (int i = 0; i < 20; ++i) {
    stage.env.clients[c].unread_bytes = 0;
    stage.node->on_client_room(c);
    stage.settle();
    const std::size_t more = stage.replies(c).size();
    CHECK(more <= 2);
    all += more;
  }
  CHECK(all == 20);
}

TEST_CASE("reads: what had no room for its answer gets it when there is some") {
  Stage stage("1");
  stage.follow("0");
  stage.leader_appends({set_command("k", "\"" + std::string(600'000, 'x') + "\"")});
  const ClientId c = stage.client();
  const std::string set = R"({"op":"set","key":"w","value":1})";
  const auto read = [&] {
    stage.line(c, get_k);
    stage.settle();
    confirm(stage, *stage.peer("0").take<ReadIndex>(), stage.leader_last);
  };
  const auto answer = [&](const codec::ForwardReply& reply) {
    stage.peer("0").say(reply);
    return stage.replies(c).size();
  };
  using What = codec::ForwardReply::What;
  stage.line(c, set);
  stage.settle();
  read();
  stage.line(c, set);
  stage.settle();
  read();
  read();  // two answers are made, and wait for the writes before them
  const auto forwards = stage.peer("0").take_all<Forward>();
  REQUIRE(forwards.size() == 2);
  CHECK(answer({forwards[0].number, What::overloaded, {}}) == 2);
  CHECK(answer({forwards[1].number, What::overloaded, {}}) == 3);
}

TEST_CASE("reads: a lone member goes from a read to the write behind it in one turn") {
  Stage stage("0", 1);
  stage.lead_alone();
  const ClientId c = stage.client();
  for (int i = 0; i < 4; ++i) {
    stage.line(c, get_k);
    stage.line(c, R"({"op":"incr","key":"k"})");
  }
  stage.settle();
  CHECK(stage.replies(c).size() == 8);
}

TEST_CASE("reads: stale answers behind a write that waits do not gather without bound") {
  Stage stage("1");
  stage.follow("0");
  stage.leader_appends({set_command("k", "\"" + std::string(1'000'000, 'x') + "\"")});
  const ClientId c = stage.client();
  stage.line(c, R"({"op":"set","key":"w","value":1})");  // never answered
  stage.settle();
  int lines = 0;
  for (; lines < 200 && stage.env.clients[c].wanted; ++lines) {
    stage.line(c, R"({"op":"get","key":"k","stale":true})");
    stage.settle();
  }
  CHECK(lines <= 8);
  CHECK(stage.replies(c).empty());
  stage.pass_ms(5100);
  CHECK(stage.replies(c).size() == static_cast<std::size_t>(lines) + 1);
  CHECK(stage.env.clients[c].wanted);
}

TEST_CASE("reads: answers behind a read do not take the room that its own needs") {
  Stage stage("1");
  stage.follow("0");
  stage.leader_appends({set_command("k", "\"" + std::string(1'000'000, 'x') + "\"")});
  const ClientId c = stage.client();
  stage.line(c, get_k);
  stage.settle();
  const auto read = stage.peer("0").take<ReadIndex>();
  REQUIRE(read);
  for (int i = 0; i < 2; ++i) stage.line(c, R"({"op":"get","key":"k","stale":true})");
  stage.settle();
  CHECK(stage.replies(c).empty());
  confirm(stage, *read, stage.node->raft().commit_index());
  stage.settle();
  CHECK(stage.replies(c).size() == 3);
}

}  // namespace zatt::node
