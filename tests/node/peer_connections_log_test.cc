// SPDX-License-Identifier: AGPL-3.0-or-later
// What the links write into the log, and how often.
#include <doctest/doctest.h>

#include <string>

#include "node/peer_connections.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Refused;
using test::NodeFixture;
using test::Peer;
using Why = Refused::Why;

}  // namespace

TEST_CASE("peer connections: a refusal that follows each greeting is logged once an hour") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  Peer& one = fixture.peer("1");
  const auto refused_again = [&] {
    one.connect();
    one.say(Refused{Why::identity, "node 0 is connected already, from another directory"});
    CHECK(fixture.env.is_closed(one.link));
    one.disconnect();
  };
  for (int i = 0; i < 5; ++i) refused_again();
  CHECK(fixture.env.count_logged("node 1 refuses this node") == 1);
  one.connect();
  one.say(one.bootstrap_state);
  one.disconnect();
  refused_again();
  CHECK(fixture.env.count_logged("node 1 refuses this node") == 1);
  fixture.pass_ms(3'600'000);
  refused_again();
  CHECK(fixture.env.count_logged("node 1 refuses this node") == 2);
}

TEST_CASE(
    "peer connections: probes are worth no line above debug, and strangers one each, and not "
    "many") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  Peer& zero = fixture.peer("0");
  for (const char* bytes : {"GET / HTTP/1.0", "no frame at all, but long enough to be one"}) {
    zero.connect(false);
    fixture.node->on_frame(zero.link, bytes);
    CHECK(fixture.env.is_closed(zero.link));
    fixture.node->on_link_down(zero.link);
  }
  zero.connect(false);
  zero.say_bytes("\x63no such kind");
  fixture.node->on_link_down(zero.link);
  CHECK(fixture.env.count_logged("a corrupt frame") == 0);
  CHECK(fixture.env.count_logged("a message came in") == 0);
}

TEST_CASE("peer connections: each node that is no member is worth a line, and not many are") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  const auto greet_as = [&](const std::string& id) {
    Peer& peer = fixture.peer("0");
    peer.connect(false);
    codec::Hello hello = peer.hello();
    hello.server.id = id;
    peer.say(hello);
    CHECK(fixture.env.is_closed(peer.link));
    fixture.node->on_link_down(peer.link);
  };
  for (int i = 0; i < 6; ++i) greet_as(i % 2 == 0 ? "x" : "y");  // they take turns
  CHECK(fixture.env.count_logged("is refused") == 2);
  for (int i = 0; i < 100; ++i) greet_as("z" + std::to_string(i));
  CHECK(fixture.env.count_logged("is refused") == 16);
  // As many in each hour, and the same ones again.
  fixture.pass_ms(3'599'000);
  greet_as("z1");
  CHECK(fixture.env.count_logged("is refused") == 16);
  fixture.pass_ms(1'001);
  for (int i = 0; i < 100; ++i) greet_as("z" + std::to_string(i));
  CHECK(fixture.env.count_logged("is refused") == 32);
}

TEST_CASE(
    "links: a member that is refused is gone, in one line; one that runs twice is in another") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.pass_ms(2000);
  Peer& two = fixture.peer("2");
  two.disconnect();
  const auto greet = [&](ClusterId cluster, std::uint64_t incarnation) {
    two.connect(false);
    codec::Hello hello = two.hello();
    hello.bootstrap_state.cluster = cluster;
    hello.server.incarnation = incarnation;
    two.say(hello);
    return fixture.env.is_closed(two.link);
  };
  for (int i = 0; i < 5; ++i) {
    REQUIRE(greet(ClusterId{0x77}, two.server.incarnation));
    fixture.node->on_link_down(two.link);
    fixture.pass_ms(1500);
  }
  CHECK(fixture.env.count_logged("node 2") == 1);
  CHECK(fixture.env.count_logged("node 2 is gone: it is refused: node 2 belongs to cluster") == 1);
  two.connect();
  const LinkId good = two.link;
  fixture.pass_ms(2000);
  CHECK(fixture.env.count_logged("node 2 is back after") == 1);
  for (int i = 0; i < 5; ++i) REQUIRE(greet(two.bootstrap_state.cluster, 555));
  fixture.pass_ms(2000);
  CHECK(fixture.env.count_logged("node 2 is refused: node 2 is connected already, from another") ==
        1);
  CHECK(fixture.env.count_logged("node 2") == 3);
  // That was no reason why the other one goes.
  fixture.node->on_link_down(good);
  fixture.pass_ms(2000);
  CHECK(fixture.env.count_logged("node 2 is gone") == 2);
  CHECK(fixture.env.count_logged("node 2 is gone: it is refused") == 1);
}

}  // namespace zatt::node
