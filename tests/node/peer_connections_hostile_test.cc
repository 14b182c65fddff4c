// SPDX-License-Identifier: AGPL-3.0-or-later
// src/node/peer_connections.cc: what may come over a connection, and does no harm.
#include <doctest/doctest.h>

#include <string>

#include "base/prng.h"
#include "node/peer_connections.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Hello;
using test::NodeFixture;
using test::Peer;

}  // namespace

TEST_CASE("peer connections: nothing but a greeting is heard before a greeting") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  two.disconnect();
  two.connect(false);
  REQUIRE(two.take<Hello>().has_value());
  two.say(raft::Heartbeat{Term{50}, {}, 0});
  two.say(codec::ReadIndex{1, Term{1}, false});
  CHECK(fixture.node->raft().current_term() == Term{1});
  CHECK_FALSE(two.take<codec::ReadIndexReply>().has_value());
}

TEST_CASE("peer connections: who is unknown is kept nothing that no Hello is as large as") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  two.disconnect();
  two.connect(false);
  const std::vector<std::string> frames = two.frames_of(std::string(16 << 20, 'x'));
  std::size_t taken = 0;
  for (const std::string& frame : frames) {
    if (fixture.env.is_closed(two.link)) break;
    fixture.node->on_frame(two.link, frame);
    ++taken;
  }
  CHECK(taken <= 9);
}

TEST_CASE("peer connections: a connection over which no greeting comes is closed after a second") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  two.disconnect();
  two.connect(false);
  fixture.pass_ms(900);
  CHECK_FALSE(fixture.env.is_closed(two.link));
  fixture.pass_ms(1200);
  CHECK(fixture.env.is_closed(two.link));
  fixture.node->on_link_down(two.link);
  two.connect();
  fixture.pass_ms(3000);
  CHECK_FALSE(fixture.env.is_closed(two.link));
}

TEST_CASE(
    "peer connections: corrupt frames and unknown messages close the connection, with one line") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  fixture.node->on_frame(two.link, "no frame at all, but long enough to be one, were it one");
  CHECK(fixture.env.is_closed(two.link));
  fixture.node->on_link_down(two.link);
  two.connect();
  two.say_bytes("\x63no such kind");
  CHECK(fixture.env.is_closed(two.link));
  CHECK(fixture.env.count_logged("a corrupt frame came in; the connection is closed") == 1);
  CHECK(fixture.env.count_logged("a message came in that this version does not know") == 1);
}

TEST_CASE(
    "peer connections: a term that nobody can have reached closes the connection, unadopted") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  two.say(raft::RequestVote{Term{1 + (1ULL << 32)}, Index{9}, Term{9}, true});
  CHECK_FALSE(fixture.env.is_closed(two.link));
  two.say(raft::RequestVote{Term{2 + (1ULL << 32)}, Index{9}, Term{9}, false});
  CHECK(fixture.env.is_closed(two.link));
  CHECK(fixture.node->raft().current_term() == Term{1});
  CHECK(fixture.env.count_logged("which nobody can have reached; the connection is closed") == 1);
}

TEST_CASE("peer connections: random frames and messages do no harm") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Prng prng(5);
  Peer& two = fixture.peer("2");
  for (int i = 0; i < 3000; ++i) {
    std::string message(1 + prng.below(60), '\0');
    for (char& c : message) c = static_cast<char>(prng.next() & 0xff);
    if (prng.chance(2, 3)) message[0] = static_cast<char>(1 + prng.below(24));
    two.say_bytes(message);
    two.forget();
    if (!fixture.env.is_closed(two.link)) continue;
    fixture.node->on_link_down(two.link);
    fixture.env.closed_links.clear();
    two.connect();
    two.forget();
  }
  CHECK(fixture.node->raft().leader() == fixture.peer("0").server);
}

}  // namespace zatt::node
