// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "tests/node/parts.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using test::NodeFixture;
using test::Peer;

std::string status_of(NodeFixture& fixture) { return fixture.ask(R"({"op":"status"})"); }

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Node 1 in a new directory, called by the members of a cluster that lives.
void enter(NodeFixture& fixture) {
  REQUIRE(fixture.open());
  for (const char* id : {"0", "2"}) {
    fixture.peer(id).bootstrap_state.cluster = ClusterId{0xc1};
    fixture.peer(id).bootstrap_state.acted = true;
    fixture.peer(id).connect();
  }
}

raft::AppendEntries first_entries(NodeFixture& fixture, std::uint64_t incarnation) {
  static std::string body;
  raft::Configuration configuration;
  for (const auto& [id, address] : fixture.options.cluster) {
    const MemberId server = id == "1" ? MemberId{"1", incarnation} : fixture.peer(id).server;
    configuration.members.push_back({server, address, true, false, false});
  }
  body.clear();
  raft::encode(configuration, body);
  raft::AppendEntries append{Term{4}, {}, {}, Index{2}, {}};
  append.entries.push_back({Index{1}, Term{0}, 0, EntryKind::configuration, body});
  append.entries.push_back({Index{2}, Term{4}, 0, EntryKind::noop, ""});
  return append;
}

}  // namespace

TEST_CASE("status: every field, alone") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  fixture.ask(R"({"op":"set","key":"k","value":1})");
  fixture.pass_ms(2500);
  const std::string said = status_of(fixture);
  CHECK(said.substr(0, said.find("\"cluster\"")) ==
        R"({"ok":true,"node":"0","role":"leader","term":1,"leader":"0","commit":3,"applied":3,)"
        R"("last":3,"snapshot":0,"members":{"0":{"address":["127.0.0.1",5254],"voter":true,)"
        R"("match_index":3,"connected":true}},"keys":1,"version":"test","uptime_s":2,)");
  CHECK_FALSE(has(said, "notice"));
}

TEST_CASE("status: before there is a cluster") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  fixture.peer("2").connect();
  const std::string said = status_of(fixture);
  CHECK(has(said, R"("role":"follower","term":0,"leader":null,"commit":0,"applied":0,"last":0)"));
  CHECK(has(said, R"("1":{"address":["127.0.0.1",5255],"voter":false,"connected":false})"));
  CHECK(has(said, R"("2":{"address":["127.0.0.1",5256],"voter":false,"connected":true})"));
  CHECK(has(said, R"("cluster":"")"));
  CHECK(has(said, "waiting for node 1 at 127.0.0.1:5255 (never seen)"));
}

TEST_CASE("status: a leader knows how far the others are, and a follower who leads") {
  NodeFixture leader("0");
  leader.lead();
  leader.ask(R"({"op":"set","key":"k","value":1})");
  leader.peer("1").follow();
  const std::string said = status_of(leader);
  CHECK(has(said, R"("role":"leader","term":1,"leader":"0","commit":3,"applied":3,"last":3)"));
  CHECK(has(said,
            R"("1":{"address":["127.0.0.1",5255],"voter":true,"match_index":3,"connected":true})"));
  CHECK(has(said,
            R"("2":{"address":["127.0.0.1",5256],"voter":true,"match_index":2,"connected":true})"));
  NodeFixture follower("1");
  follower.follow("0", 6);
  const std::string its = status_of(follower);
  CHECK(has(its, R"("node":"1","role":"follower","term":6,"leader":"0","commit":2,"applied":2)"));
  CHECK_FALSE(has(its, "match_index"));
  CHECK(has(its, R"("cluster":"00000000ab12cd34"})"));
  follower.peer("2").disconnect();
  CHECK(has(status_of(follower), R"("voter":true,"connected":false})"));
}

TEST_CASE("status: an election that passes within a second is worth no notice, a longer one is") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.pass_ms(1500);
  REQUIRE(has(status_of(fixture), R"("leader":"0")"));
  fixture.peer("0").disconnect();
  int waited_ms = 0;
  for (; has(status_of(fixture), R"("leader":"0")"); waited_ms += 50) {
    REQUIRE(waited_ms < 10'000);
    fixture.pass_ms(50);
  }
  CHECK_FALSE(has(status_of(fixture), "notice"));
  fixture.pass_ms(1200);
  CHECK(has(status_of(fixture),
            R"("notice":"the members are electing a leader; if that lasts, look at)"));
  // Who sees no majority need not wait to say so.
  fixture.peer("2").disconnect();
  CHECK(has(status_of(fixture), R"("notice":"no majority is connected: node 0)"));
}

TEST_CASE("status: a new directory under a known id says that it neither votes nor counts") {
  NodeFixture fixture("1");
  enter(fixture);
  CHECK(fixture.env.count_logged("this directory is new, and cluster 00000000000000c1 lives: it "
                                 "belongs to it from now on") == 1);
  fixture.peer("0").say(first_entries(fixture, 666));
  CHECK(fixture.node->last_applied() == Index{2});
  fixture.pass_ms(1500);
  const std::string words =
      "this storage directory is new, and the cluster knows node 1 by another: it receives the "
      "log, but neither votes nor counts; if the old directory still exists, put that back, and "
      "never an older copy of it";
  CHECK(fixture.env.count_logged(words) == 1);
  const std::string said = status_of(fixture);
  CHECK(has(said, R"("role":"learner","term":4,"leader":"0")"));
  CHECK(has(said, words));
  // It never campaigns, whatever the silence.
  fixture.pass_ms(10'000);
  CHECK(fixture.node->raft().current_term() == Term{4});
  CHECK_FALSE(fixture.peer("2").take<raft::RequestVote>().has_value());
}

TEST_CASE("status: a new directory that no leader has called says what it waits for") {
  NodeFixture fixture("1");
  enter(fixture);
  const auto message = [&] {
    const ClientId c = fixture.client();
    fixture.line(c, R"({"op":"get","key":"k","timeout_ms":50})");
    fixture.settle();
    fixture.pass_ms(60);
    return fixture.replies(c).at(0);
  };
  CHECK(has(message(),
            R"("message":"this storage directory is new and waits for a leader of cluster )"
            R"(00000000000000c1, and nobody leads it"})"));
  fixture.peer("2").disconnect();
  CHECK(has(message(), "and nobody leads it; not connected: node 2 at 127.0.0.1:5256 (last seen"));
}

TEST_CASE("status: an observer's requests go to the leader as a follower's do") {
  NodeFixture fixture("1");
  enter(fixture);
  fixture.peer("0").say(first_entries(fixture, 666));
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"set","key":"k","value":1})");
  fixture.settle();
  CHECK(fixture.peer("0").take<codec::Forward>().has_value());
}

TEST_CASE("status: who is without a leader is told whom to start") {
  NodeFixture fixture("1");
  fixture.follow("0");
  for (const char* id : {"0", "2"}) fixture.peer(id).disconnect();
  fixture.fall_silent();
  fixture.pass_ms(4000);
  const std::string said = status_of(fixture);
  CHECK(has(said, R"("notice":"no majority is connected: node 0 at 127.0.0.1:5254 (last seen)"));
  CHECK(has(said, R"(: start who is missing, or mend the network between"})"));
}

TEST_CASE("status: a leader names who is far behind, until it has caught up") {
  NodeFixture fixture("0");
  fixture.lead();
  fixture.ask(R"({"op":"set","key":"k","value":1})");
  fixture.let_peers_follow();
  const auto pass = [&](const char* with) {
    for (int i = 0; i < 15; ++i) {
      fixture.pass_ms(100);
      fixture.peer(with).follow();
      for (const auto& beat : fixture.peer("2").take_all<raft::Heartbeat>())
        fixture.peer("2").say(
            raft::HeartbeatReply{beat.term, beat.round, {}, {}, DiskSpace::enough});
    }
  };
  for (int i = 0; i < 40; ++i) {
    const ClientId c = fixture.client();
    for (int n = 0; n < 300; ++n) fixture.line(c, R"({"op":"set","key":"k","value":1})");
    fixture.settle();
    fixture.peer("1").follow();
    fixture.node->on_client_closed(c);
  }
  pass("1");
  CHECK(fixture.env.count_logged("node 2 is far behind, by 12000 entries") == 1);
  CHECK(
      has(status_of(fixture), R"("notice":"node 2 is far behind, by 12000 entries: look at its)"));
  for (int i = 0; i < 100; ++i) fixture.let_peers_follow();
  pass("2");
  CHECK(fixture.env.count_logged("node 2 has caught up after") == 1);
  CHECK(fixture.env.count_logged("node 2") == 2);
  CHECK_FALSE(has(status_of(fixture), "notice"));
}

TEST_CASE(
    "status: another address in the configuration than in the cluster is said, once in the log") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.pass_ms(1500);
  CHECK_FALSE(has(status_of(fixture), "notice"));
  fixture.close();
  fixture.options.cluster["2"] = {"127.0.0.9", 7000};
  REQUIRE(fixture.open());
  for (const char* id : {"0", "2"}) fixture.peer(id).connect();
  fixture.follow("0");
  fixture.pass_ms(1500);
  const std::string words =
      "the configuration of this node has node 2 at 127.0.0.9:7000, the cluster at 127.0.0.1:5256: "
      "this node calls the former, clients are sent to the latter; ";
  CHECK(has(status_of(fixture), R"("notice":")" + words));
  CHECK(has(status_of(fixture), R"("2":{"address":["127.0.0.1",5256])"));
  for (int i = 0; i < 3; ++i) {  // whatever else there is to say
    fixture.peer("2").disconnect();
    fixture.pass_ms(1500);
    fixture.peer("2").connect();
    fixture.pass_ms(1500);
  }
  CHECK(fixture.env.count_logged("node 2 is back") == 3);
  CHECK(fixture.env.count_logged(words) == 1);
}

TEST_CASE(
    "status: other members in the configuration than in the cluster are said, once in the log") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.close();
  fixture.options.cluster["7"] = {"127.0.0.1", 7000};
  REQUIRE(fixture.open());
  for (const char* id : {"0", "2"}) fixture.peer(id).connect();
  fixture.follow("0");
  fixture.pass_ms(1500);
  const std::string words =
      "the configuration of this node names the nodes 0, 1, 2, 7, the cluster has 0, 1, 2: the "
      "cluster's list counts; write it into the configuration and start this node again";
  CHECK(has(status_of(fixture), R"("notice":")" + words + '"'));
  CHECK(fixture.env.count_logged(words) == 1);
}

TEST_CASE("status: a lone node is where it listens, wherever it was before") {
  NodeFixture fixture("0", 1);
  fixture.lead_alone();
  fixture.close();
  fixture.options.cluster["0"] = {"127.0.0.1", 7000};
  fixture.lead_alone();
  fixture.pass_ms(1500);
  const std::string said = status_of(fixture);
  CHECK(has(said, R"("0":{"address":["127.0.0.1",7000])"));
  CHECK_FALSE(has(said, "notice"));
}

TEST_CASE("status: the others say whose directory was emptied") {
  NodeFixture fixture("0");
  fixture.lead();
  Peer& one = fixture.peer("1");
  one.disconnect();
  one.server.incarnation = 555;
  one.bootstrap_state.acted = false;
  one.connect();
  const std::string said = status_of(fixture);
  const std::string words =
      "its storage directory was emptied: it receives the log, but neither votes nor counts";
  CHECK(has(said, words));
  const std::size_t at = said.find("\"1\":{");
  CHECK(said.find(words) > at);
  CHECK(said.find(words) < said.find("\"2\":{"));
  // It gets what is committed, and its word commits nothing.
  fixture.peer("2").forget();
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"set","key":"k","value":1})");
  fixture.settle();
  one.follow();
  CHECK(fixture.replies(c).empty());
  fixture.peer("2").follow();
  CHECK(fixture.replies(c).size() == 1);
}

TEST_CASE("status: a majority was emptied, so nobody leads, and the message names them") {
  NodeFixture fixture("0");
  fixture.lead();
  for (const char* id : {"1", "2"}) {
    Peer& peer = fixture.peer(id);
    peer.disconnect();
    peer.server.incarnation = 555;
    peer.bootstrap_state.acted = false;
    peer.connect();
  }
  for (int i = 0; i < 40; ++i) {
    fixture.pass_ms(50);
    fixture.let_peers_follow();
  }
  CHECK_FALSE(fixture.node->raft().is_leader());
  const ClientId c = fixture.client();
  fixture.line(c, R"({"op":"get","key":"k","timeout_ms":50})");
  fixture.settle();
  fixture.pass_ms(60);
  CHECK(has(fixture.replies(c).at(0),
            "nobody can lead: the storage directories of a majority of the members were emptied "
            "(nodes 1, 2)"));
}

TEST_CASE("status: a disk without room is said, though the look falls into another try") {
  test::Parts parts;
  PeerTable peers(parts.options, parts.env);
  Bootstrapper bootstrapper(parts.options, parts.env, *parts.raft, *parts.persister,
                            parts.connections);
  StatusReporter status({parts.options, parts.env, *parts.raft, *parts.persister, parts.connections,
                         peers, bootstrapper});
  status.start();
  parts.lead_alone();
  parts.env.logged.clear();
  parts.step(raft::Propose{parts.raft->current_term(), {{EntryKind::command, "x"}}});
  parts.disk.fail_call(0, ENOSPC, true);
  REQUIRE(parts.run_disk().room_changed);
  parts.env.now += 5;
  status.stir();
  parts.env.now = parts.persister->wake_at_us();
  parts.persister->submit();
  REQUIRE(parts.env.batch.has_value());
  parts.env.now += 10;
  REQUIRE(status.wake_at_us() <= parts.env.now);
  status.on_time();
  CHECK(parts.env.count_logged("the disk is full") == 1);
}

}  // namespace zatt::node
