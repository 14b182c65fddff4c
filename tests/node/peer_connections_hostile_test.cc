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

constexpr std::string_view cannot_be = ", which cannot be; the connection is closed";

// Says it, sees its connection closed for it with a line, and comes back.
template <class M>
void is_cut_off(NodeFixture& fixture, Peer& peer, const M& message) {
  const Term term = fixture.node->raft().current_term();
  const bool leads = fixture.node->raft().is_leader();
  peer.say(message);
  CHECK(fixture.env.is_closed(peer.link));
  CHECK(fixture.env.count_logged(cannot_be) > 0);  // the same is not said again within an hour
  CHECK(fixture.node->raft().current_term() == term);
  CHECK(fixture.node->raft().is_leader() == leads);
  CHECK(!fixture.env.stopped);
  fixture.node->on_link_down(peer.link);
  fixture.env.closed_links.clear();
  peer.connect();
  fixture.settle();
  peer.forget();
}

raft::AppendEntries append_of(const NodeFixture& fixture, Index prev, Term prev_term,
                              std::vector<EntryView> entries) {
  return {fixture.node->raft().current_term(), prev, prev_term, Index{0}, std::move(entries)};
}

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

TEST_CASE("peer connections: who answers a leader what cannot be is cut off, and ends nothing") {
  NodeFixture fixture("1");
  fixture.lead();
  Peer& two = fixture.peer("2");
  const Term term = fixture.node->raft().current_term();
  const Index last = fixture.node->raft().log().last_index();
  SUBCASE("entries beyond the log, in a heartbeat's answer") {
    is_cut_off(fixture, two, raft::HeartbeatReply{term, 0, last, last + 1});
    is_cut_off(fixture, two, raft::HeartbeatReply{term, 0, last + 9, last});
  }
  SUBCASE("a round that was not begun") {
    is_cut_off(fixture, two, raft::HeartbeatReply{term, 1ULL << 40, {}, {}});
  }
  SUBCASE("entries beyond the log, in an answer to entries") {
    is_cut_off(fixture, two, raft::AppendReply{term, true, last, last + 1});
    is_cut_off(fixture, two, raft::AppendReply{term, true, last + 1, last});
  }
  SUBCASE("another leader of its term") {
    is_cut_off(fixture, two, raft::Heartbeat{term, {}, 0, last});
    is_cut_off(fixture, two, append_of(fixture, last, term, {}));
    is_cut_off(fixture, two, raft::TimeoutNow{term});
  }
  fixture.pass_ms(50);
  CHECK(fixture.node->raft().is_leader());
}

TEST_CASE("peer connections: who tells a follower what cannot be is cut off, and ends nothing") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.leader_appends({test::set_command("k", "1"), test::set_command("k", "2")});
  Peer& leader = fixture.peer("0");
  Peer& two = fixture.peer("2");
  const raft::Raft& raft = fixture.node->raft();
  const Term term = raft.current_term();
  REQUIRE(raft.commit_index() == raft.log().last_index());
  SUBCASE("a second leader of its term") {
    is_cut_off(fixture, two, raft::Heartbeat{term, {}, 0, {}});
    is_cut_off(fixture, two, append_of(fixture, Index{0}, Term{0}, {}));
    is_cut_off(fixture, two, raft::TimeoutNow{term});
  }
  SUBCASE("another entry for one that is committed") {
    const Index committed = raft.commit_index();
    const EntryView noop{committed, term, 1, EntryKind::noop, {}};
    CHECK(raft.log().holds(committed, term));
    const EntryView older{Index{1}, term, 1, EntryKind::noop, {}};
    is_cut_off(fixture, leader, append_of(fixture, Index{0}, Term{0}, {older}));
    CHECK(raft.log().last_index() == committed);
    leader.say(append_of(fixture, committed - 1, raft.log().term_at(committed - 1), {noop}));
    CHECK_FALSE(fixture.env.is_closed(leader.link));  // it is held already: nothing is replaced
  }
  SUBCASE("a leader, or a candidate, of the term before all") {
    is_cut_off(fixture, two, raft::Heartbeat{Term{0}, Index{1}, 0, {}});
    is_cut_off(fixture, two, raft::AppendEntries{Term{0}, Index{1}, Term{0}, Index{1}, {}});
    is_cut_off(fixture, two, raft::TimeoutNow{Term{0}});
    is_cut_off(fixture, two, raft::RequestVote{Term{0}, Index{9}, Term{9}, false});
    is_cut_off(fixture, two, raft::VoteReply{Term{0}, true, false});
  }
  CHECK(raft.current_term() == term);
}

TEST_CASE("peer connections: votes before they are asked for are cut off, and elect nobody") {
  NodeFixture fixture("1");
  fixture.follow("0");
  fixture.fall_silent();
  for (int i = 0; i < 100 && !fixture.peer("2").take<raft::RequestVote>(); ++i) fixture.pass_ms(50);
  const raft::Raft& raft = fixture.node->raft();
  const Term next = raft.current_term() + 1;
  fixture.disk_held = true;  // its own vote is not durable yet
  fixture.peer("2").say(raft::VoteReply{next, true, true});
  REQUIRE(raft.current_term() == next);
  is_cut_off(fixture, fixture.peer("2"), raft::VoteReply{next, true, false});
  is_cut_off(fixture, fixture.peer("0"), raft::VoteReply{next, true, false});
  CHECK_FALSE(raft.is_leader());
}

TEST_CASE("peer connections: an offer larger than a hard state has room for is not stored") {
  NodeFixture fixture("1");
  REQUIRE(fixture.open());
  Peer& leader = fixture.peer("0");
  leader.connect();
  raft::Offer offer{1, ClusterId{77}, {}};
  for (const MemberId& server : {leader.server, fixture.node->raft().self(), MemberId{"2", 9}})
    offer.configuration.members.push_back({server, {std::string(30'000, 'h'), 1}, true});
  leader.say(codec::BootstrapState{offer.cluster, false, false, {offer}});
  fixture.settle();
  leader.forget();
  leader.say(codec::BootstrapState{{}, false, true, {}});
  fixture.settle();
  const auto state = leader.take<codec::BootstrapState>();
  REQUIRE(state);
  CHECK(state->offers.empty());
  CHECK(!fixture.env.stopped);
}

TEST_CASE("peer connections: bodies larger than the log takes close the connection") {
  NodeFixture fixture("1");
  fixture.lead();
  const Term term = fixture.node->raft().current_term();
  Peer& two = fixture.peer("2");
  const std::string large(max_body_bytes + 1, 'x');
  two.say(codec::Forward{1, term, true, large});
  CHECK(fixture.env.is_closed(two.link));
  fixture.node->on_link_down(two.link);
  two.connect();
  two.say(append_of(fixture, Index{0}, Term{0}, {{Index{1}, term, 1, EntryKind::command, large}}));
  CHECK(fixture.env.is_closed(two.link));
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
