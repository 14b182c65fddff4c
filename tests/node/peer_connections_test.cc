// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/peer_connections.h"

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>

#include "node/recovery.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Hello;
using codec::Refused;
using test::NodeFixture;
using test::Peer;
using Why = Refused::Why;

// What the node answers to this hello, besides its own.
std::optional<Refused> greet(NodeFixture& fixture, const std::string& id,
                             const std::function<void(Hello&)>& change) {
  Peer& peer = fixture.peer(id);
  peer.connect(false);
  REQUIRE(peer.take<Hello>().has_value());
  Hello hello = peer.hello();
  change(hello);
  peer.say(hello);
  const auto refused = peer.take<Refused>();
  CHECK(refused.has_value() == fixture.env.is_closed(peer.link));
  if (refused) fixture.node->on_link_down(peer.link);
  return refused;
}

bool is_connected(NodeFixture& fixture, const std::string& id) {
  const std::string status = fixture.ask(R"({"op":"status"})");
  const std::size_t at = status.find("\"" + id + "\":{");
  REQUIRE(at != std::string::npos);
  const std::size_t connected = status.find("\"connected\":", at);
  return status.compare(connected + 12, 4, "true") == 0;
}

}  // namespace

TEST_CASE(
    "peer connections: a hello that is read late, of an earlier connection, replaces no newer "
    "one") {
  for (const bool ended : {false, true}) {
    CAPTURE(ended);
    NodeFixture fixture("0");
    fixture.lead();
    Peer& two = fixture.peer("2");
    two.connect(false);  // accepted, and what came over it not read yet
    const LinkId earlier = two.link;
    two.connect();
    const LinkId newer = two.link;
    REQUIRE(is_connected(fixture, "2"));
    codec::Forward forward;
    forward.term = fixture.node->raft().current_term();
    forward.number = 1;
    const std::string newer_command = test::set_command("k", "2");
    forward.command = newer_command;
    two.say(forward);
    fixture.settle();
    const Index after_newer = fixture.node->raft().log().last_index();
    if (ended) two.disconnect();
    // Now the first connection is read: its hello, and what was asked before the other.
    two.link = earlier;
    two.say(two.hello());
    const std::string earlier_command = test::set_command("k", "1");
    forward.command = earlier_command;
    if (!fixture.env.is_closed(earlier)) two.say(forward);
    fixture.settle();
    CHECK(fixture.env.is_closed(earlier));
    CHECK(fixture.node->raft().log().last_index() == after_newer);
    CHECK(is_connected(fixture, "2") == !ended);
    if (!ended) CHECK(!fixture.env.is_closed(newer));
    // Another process of the same member begins anew.
    if (!ended) continue;
    two.start += 2;
    two.connect();
    CHECK(is_connected(fixture, "2"));
  }
}

TEST_CASE("peer connections: each side says hello first, and says who it is") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  REQUIRE(fixture.env.dialed.size() == 1);  // the lower id dials
  CHECK(fixture.env.dialed[0] == PeerAddress{"2", {"127.0.0.1", 5256}});
  fixture.peer("2").connect(false);
  const auto called = fixture.peer("2").take<Hello>();
  REQUIRE(called.has_value());
  CHECK(called->to == "2");
  CHECK(called->server == fixture.node->raft().self());
  CHECK(called->address == Address{"127.0.0.1", 5255});
  CHECK(called->ids == std::vector<std::string>{"0", "1", "2"});
  CHECK(called->lowest_version == 3);
  CHECK(called->highest_version == 3);
  CHECK(called->authentication == 0);
  fixture.peer("0").connect(false);
  const auto answered = fixture.peer("0").take<Hello>();
  REQUIRE(answered.has_value());
  CHECK(answered->to == "");
  CHECK_FALSE(is_connected(fixture, "0"));
  fixture.peer("0").say(fixture.peer("0").hello());
  CHECK(is_connected(fixture, "0"));
}

TEST_CASE("peer connections: no common version is refused, by numbers") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  const auto newer =
      greet(fixture, "0", [](Hello& h) { h.lowest_version = h.highest_version = 4; });
  REQUIRE(newer.has_value());
  CHECK(newer->why == Why::version);
  CHECK(newer->text == "node 0 speaks versions 4 to 4 of the peer protocol, node 1 3 to 3");
  CHECK(fixture.env.count_logged("node 0 is refused: node 0 speaks versions 4 to 4") == 1);
  CHECK(
      greet(fixture, "0", [](Hello& h) { h.lowest_version = h.highest_version = 1; }).has_value());
  CHECK_FALSE(greet(fixture, "0", [](Hello& h) { h.highest_version = 7; }).has_value());
}

TEST_CASE("peer connections: who was called is not who answers") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  const auto wrong = greet(fixture, "1", [](Hello& h) { h.server.id = "2"; });
  REQUIRE(wrong.has_value());
  CHECK(wrong->why == Why::identity);
  CHECK(wrong->text ==
        "node 1 was called and node 2 answers: look at the addresses in the configuration");
}

TEST_CASE("peer connections: another node than this was called") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  const auto wrong = greet(fixture, "0", [](Hello& h) { h.to = "2"; });
  REQUIRE(wrong.has_value());
  CHECK(wrong->why == Why::identity);
  CHECK(wrong->text == "this is node 1, not node 2: look at the addresses in the configuration");
}

TEST_CASE("peer connections: one id twice") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  const auto ours = greet(fixture, "0", [](Hello& h) { h.server.id = "1"; });
  REQUIRE(ours.has_value());
  CHECK(ours->why == Why::identity);
  CHECK(ours->text.find("two nodes were started with the id 1") != std::string::npos);
  // A member from another directory, while the first is connected.
  CHECK_FALSE(greet(fixture, "0", [](Hello&) {}).has_value());
  const LinkId first = fixture.peer("0").link;
  const auto second = greet(fixture, "0", [](Hello& h) { h.server.incarnation = 77; });
  REQUIRE(second.has_value());
  CHECK(second->text ==
        "node 0 is connected already, from another storage directory: was it started twice?");
  CHECK_FALSE(fixture.env.is_closed(first));
  fixture.node->on_link_down(first);
  CHECK_FALSE(greet(fixture, "0", [](Hello& h) { h.server.incarnation = 77; }).has_value());
}

TEST_CASE("peer connections: a second live start of one identity is refused by name") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& leader = fixture.peer("0");
  const LinkId first = leader.link;
  leader.start += 1;  // a copy of its directory, run somewhere else
  leader.connect(false);
  REQUIRE(leader.take<Hello>().has_value());
  leader.say(leader.hello());
  const auto refused = leader.take<Refused>();
  REQUIRE(refused.has_value());
  CHECK(refused->why == Why::twice);
  CHECK(refused->text ==
        "node 0 is running already, as another process: was its storage directory copied?");
  CHECK_FALSE(fixture.env.is_closed(first));
  CHECK(fixture.env.is_closed(leader.link));
  // Whoever has fallen silent may be gone without a word, and this be its next start.
  fixture.fall_silent();
  fixture.pass_ms(600);
  leader.connect();
  CHECK(fixture.env.is_closed(first));
  CHECK_FALSE(fixture.env.is_closed(leader.link));
}

TEST_CASE("peer connections: a node that reaches itself is refused") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  Peer& mirror = fixture.peer("0");
  mirror.connect(false);
  REQUIRE(mirror.take<Hello>().has_value());
  mirror.start = fixture.node_start;
  mirror.say(mirror.hello());
  CHECK(mirror.take<Refused>().has_value());
}

TEST_CASE("peer connections: while founding, the configurations have to name the same nodes") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  const auto other = greet(fixture, "0", [](Hello& h) { h.ids = {"0", "1", "7"}; });
  REQUIRE(other.has_value());
  CHECK(other->why == Why::ids);
  CHECK(other->text ==
        "the configuration of node 0 names the nodes 0, 1, 7, that of node 1 0, 1, 2");
  // Of a cluster that lives nobody asks.
  CHECK_FALSE(greet(fixture, "0", [](Hello& h) {
                h.ids = {"0", "1", "7"};
                h.bootstrap_state.acted = true;
                h.bootstrap_state.cluster = ClusterId{5};
              }).has_value());
}

TEST_CASE("peer connections: strangers are refused") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  const auto unknown = greet(fixture, "0", [](Hello& h) { h.server.id = "zoe"; });
  REQUIRE(unknown.has_value());
  CHECK(unknown->text == "node zoe is not a member of this cluster");
}

TEST_CASE("peer connections: a member of another cluster is refused, and both clusters named") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.peer("2").disconnect();
  const auto other =
      greet(fixture, "2", [](Hello& h) { h.bootstrap_state.cluster = ClusterId{0x77}; });
  REQUIRE(other.has_value());
  CHECK(other->why == Why::cluster);
  CHECK(other->text ==
        "node 2 belongs to cluster 0000000000000077, node 1 to cluster 00000000ab12cd34");
}

TEST_CASE("peer connections: what is refused again and again is logged once") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  for (int i = 0; i < 5; ++i)
    REQUIRE(greet(fixture, "0", [](Hello& h) { h.to = "2"; }).has_value());
  CHECK(fixture.env.count_logged("node 0 is refused: this is node 1, not node 2") == 1);
  // Another reason is news. The first one is none so soon, though all went well between.
  REQUIRE(greet(fixture, "0", [](Hello& h) { h.ids = {"0"}; }).has_value());
  CHECK(fixture.env.count_logged("node 0 is refused") == 2);
  REQUIRE_FALSE(greet(fixture, "0", [](Hello&) {}).has_value());
  REQUIRE(greet(fixture, "0", [](Hello& h) { h.to = "2"; }).has_value());
  CHECK(fixture.env.count_logged("node 0 is refused: this is node 1, not node 2") == 1);
}

TEST_CASE("peer connections: what others say of their refusal is logged once, with their words") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  for (int i = 0; i < 4; ++i) {
    fixture.peer("1").connect(false);
    fixture.peer("1").say(Refused{Why::identity, "this is node 2, not node 1"});
    CHECK(fixture.env.is_closed(fixture.peer("1").link));
    fixture.peer("1").disconnect();
  }
  CHECK(fixture.env.count_logged("node 1 refuses this node: this is node 2, not node 1") == 1);
  CHECK_FALSE(fixture.env.stopped.has_value());
}

TEST_CASE("peer connections: a majority that refuses this node as another cluster's ends it") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  fixture.peer("1").connect(false);
  fixture.peer("1").say(Refused{Why::cluster, "node 0 belongs to cluster b, node 1 to cluster a"});
  fixture.peer("1").disconnect();
  CHECK_FALSE(fixture.env.stopped.has_value());
  // The same once more makes no second, and a greeting takes it back.
  fixture.peer("1").connect(false);
  fixture.peer("1").say(Refused{Why::cluster, "the same"});
  fixture.peer("1").disconnect();
  CHECK_FALSE(fixture.env.stopped.has_value());
  fixture.peer("1").connect();
  fixture.peer("2").connect(false);
  fixture.peer("2").say(Refused{Why::cluster, "the same"});
  CHECK_FALSE(fixture.env.stopped.has_value());
  fixture.peer("1").disconnect();
  fixture.peer("1").connect(false);
  fixture.peer("1").say(Refused{Why::cluster, "that one"});
  CHECK(fixture.env.stopped == node::StopReason::refused);
  CHECK(fixture.env.count_logged("a majority of the members refuses this node: that one") == 1);
}

TEST_CASE(
    "peer connections: a majority that was found to be of another cluster ends this node, when "
    "called") {
  const auto greet_as_alien = [](NodeFixture& fixture, const char* id) {
    REQUIRE(greet(fixture, id, [](Hello& h) {
              h.bootstrap_state.cluster = ClusterId{0x77};
            })->why == Why::cluster);
  };
  NodeFixture fixture("0");
  fixture.lead();
  for (const char* id : {"1", "2"}) fixture.peer(id).disconnect();
  greet_as_alien(fixture, "1");
  CHECK_FALSE(fixture.env.stopped.has_value());
  fixture.pass_ms(61'000);  // so long ago that another may be there now
  greet_as_alien(fixture, "2");
  CHECK_FALSE(fixture.env.stopped.has_value());
  greet_as_alien(fixture, "1");
  CHECK(fixture.env.stopped == node::StopReason::refused);
  // Whoever comes in by itself may say it is anybody.
  NodeFixture called("2");
  called.follow("0");
  for (const char* id : {"0", "1"}) called.peer(id).disconnect();
  called.fall_silent();
  for (const char* id : {"0", "1"}) greet_as_alien(called, id);
  CHECK_FALSE(called.env.stopped.has_value());
}

TEST_CASE(
    "peer connections: a node that was started twice ends when a majority says so for half a "
    "minute") {
  const auto refuse = [](NodeFixture& fixture, const char* id) {
    Peer& peer = fixture.peer(id);
    peer.connect(false);
    peer.say(Refused{Why::twice, "node 0 is running already"});
    peer.disconnect();
    fixture.settle();
  };
  NodeFixture one("0");
  REQUIRE(one.open());
  for (int i = 0; i < 10; ++i) refuse(one, "1"), one.pass_ms(10'000);
  CHECK_FALSE(one.env.stopped.has_value());  // it may be that one which is wrong
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  for (int i = 0; i < 3; ++i) {
    refuse(fixture, "1"), refuse(fixture, "2");
    CHECK_FALSE(fixture.env.stopped.has_value());  // a dead process of it may not be known as dead
    fixture.pass_ms(9'900);
  }
  fixture.pass_ms(300);
  refuse(fixture, "1");
  CHECK_FALSE(fixture.env.stopped.has_value());
  refuse(fixture, "2");
  CHECK(fixture.env.stopped == node::StopReason::refused);
  CHECK(fixture.env.count_logged("a majority of the members refuses this node: node 0 is running "
                                 "already. Look at its configuration") == 1);
  // With a minute of peace between them these are two matters.
  NodeFixture calm("0");
  REQUIRE(calm.open());
  for (int i = 0; i < 5; ++i) refuse(calm, "1"), refuse(calm, "2"), calm.pass_ms(61'000);
  CHECK_FALSE(calm.env.stopped.has_value());
}

TEST_CASE("peer connections: a newer connection ends the older one, unread") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  two.forget();
  const LinkId older = two.link;
  std::string bytes;
  encode(codec::ReadIndex{1, Term{1}, false}, bytes);
  const std::vector<std::string> unread = two.frames_of(bytes);
  two.connect();
  CHECK(fixture.env.is_closed(older));
  CHECK_FALSE(fixture.env.is_closed(two.link));
  two.forget();
  fixture.node->on_frame(older, unread[0]);
  fixture.settle();
  CHECK(fixture.env.frames[older].empty());
  CHECK_FALSE(two.take<codec::ReadIndexReply>().has_value());
  // That the older one is down says nothing about the newer.
  fixture.node->on_link_down(older);
  two.say(codec::ReadIndex{1, Term{1}, false});
  CHECK(two.take<codec::ReadIndexReply>().has_value());
}

TEST_CASE("peer connections: frames of other starts are dropped") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  const auto is_heard = [&] {
    two.say(codec::ReadIndex{two.start, Term{1}, false});  // any number above the last
    return two.take<codec::ReadIndexReply>().has_value();
  };
  const std::uint64_t start = two.start;
  const std::uint64_t node_start = fixture.node_start;
  two.start = start + 1;
  CHECK_FALSE(is_heard());
  two.start = start;
  const auto said_to = [&](std::uint64_t to) {
    fixture.node_start = to;
    std::string bytes;
    encode(codec::ReadIndex{two.start + 5, Term{1}, false}, bytes);
    const std::string frame = two.frames_of(bytes)[0];
    fixture.node->on_frame(two.link, frame);
    fixture.settle();
    return two.take<codec::ReadIndexReply>().has_value();
  };
  CHECK_FALSE(said_to(node_start + 2));
  CHECK_FALSE(said_to(0));
  CHECK_FALSE(fixture.env.is_closed(two.link));
  CHECK(said_to(node_start));
}

TEST_CASE("peer connections: what a node says of its standing does not undo what it said later") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& leader = fixture.peer("0");
  codec::BootstrapState before;  // in no cluster yet
  std::string bytes;
  encode(before, bytes);
  const std::vector<std::string> overtaken = leader.frames_of(bytes);
  leader.say(leader.bootstrap_state);
  for (const std::string& frame : overtaken) fixture.node->on_frame(leader.link, frame);
  fixture.settle();
  CHECK(fixture.node->raft().leader() == leader.server);
  leader.say(before);  // in order, it counts
  CHECK_FALSE(fixture.node->raft().leader().has_value());
}

TEST_CASE("peer connections: a second greeting on one connection changes nothing") {
  NodeFixture fixture("1");
  fixture.follow("0");
  Peer& two = fixture.peer("2");
  Hello hello = two.hello();
  hello.server.id = "0";
  hello.bootstrap_state.cluster = ClusterId{99};
  two.say(hello);
  CHECK_FALSE(fixture.env.is_closed(two.link));
  CHECK_FALSE(fixture.env.is_closed(fixture.peer("0").link));
  CHECK(is_connected(fixture, "2"));
}

}  // namespace zatt::node
