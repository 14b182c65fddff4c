// SPDX-License-Identifier: AGPL-3.0-or-later
// A judge that never condemns is worth nothing: lies that no node of ours tells, told to it.
#include "tests/sim/invariant_checker.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <utility>

#include "codec/peer_frames.h"
#include "tests/sim/cluster.h"

namespace zatt::sim {
namespace {

// Three nodes that have led, written and been well for a while.
class Day {
 public:
  Day() : cluster(settings(), false) {
    cluster.network().make_perfect();
    for (NodeNumber number = 0; number < 3; ++number) cluster.start(number);
    cluster.workload().start();
    pass(4'000'000);
    REQUIRE(judgement() == "");
    for (NodeNumber number = 0; number < 3; ++number)
      if (cluster.machine(number).node->raft().is_leader()) leader = number;
  }

  void pass(std::uint64_t us) {
    const std::uint64_t end = cluster.now_us() + us;
    while (!cluster.checker().violation() && cluster.run_one(end)) {
    }
  }
  std::string judgement() const {
    const auto& violation = cluster.checker().violation();
    return violation ? to_string(*violation) : "";
  }
  bool is_condemned(const std::string& number, const std::string& words) const {
    return judgement().starts_with(number + " ") && judgement().find(words) != std::string::npos;
  }
  Machine& other(NodeNumber n) { return cluster.machine((leader + n) % 3); }

  Cluster cluster;
  NodeNumber leader = 0;

 private:
  static Settings settings() {
    Settings settings;
    settings.seed = 1;
    return settings;
  }
};

Frame vote(Term term) {
  Frame frame;
  std::string message;
  codec::encode(raft::Message(raft::VoteReply{term, true, false}), message);
  codec::cut_into_frames(BootId{1}, BootId{1}, 1, message,
                         [&](std::string bytes) { frame.bytes = std::move(bytes); });
  return frame;
}

}  // namespace

TEST_CASE("invariant checker: a vote is given to whom it is told to") {
  Day day;
  const Machine& leader = day.cluster.machine(day.leader);
  const Term term = leader.node->raft().current_term();
  Frame own = vote(term), given = vote(term);
  day.cluster.checker().on_frame_sent(day.leader, leader.process, own);
  CHECK(day.judgement() == "");
  day.cluster.checker().on_frame_sent(day.leader, day.other(1).process, given);
  CHECK(day.is_condemned("I2", "votes twice"));
}

TEST_CASE("invariant checker: a node stops when a call of its disk has failed") {
  Day day;
  day.other(1).next_error = EIO;
  day.pass(2'000'000);
  CHECK(day.judgement() == "");
  CHECK(day.cluster.coverage().of(CoveragePoint::disk_failed) == 1);
}

TEST_CASE("invariant checker: a node stops for no reason") {
  using node::StopReason;
  for (const auto reason : {StopReason::storage_corrupt, StopReason::disk_failed,
                            StopReason::refused, StopReason::asked}) {
    Day day;
    day.other(1).stopped = reason;
    day.cluster.checker().on_stop((day.leader + 1) % 3);
    CHECK(day.is_condemned("I21", "for no reason"));
  }
}

TEST_CASE("invariant checker: a node that its disk has failed says nothing") {
  Day day;
  Machine& failed = day.cluster.machine(day.leader);
  failed.disk_failure = ENOSPC;
  day.cluster.checker().after_event(day.leader);
  CHECK(day.judgement() == "");
  failed.disk_failure = EIO;
  day.cluster.checker().after_event(day.leader);
  CHECK(day.is_condemned("I21", "has failed, and it goes on"));
}

TEST_CASE("invariant checker: after rot what is gone is in doubt, until it is there again") {
  Day day;
  const NodeNumber number = (day.leader + 1) % 3;
  Machine& machine = day.cluster.machine(number);
  day.cluster.kill(number);
  const Index held = machine.durable->whole_up_to();
  CHECK(held == machine.durable->last_index());
  CHECK(held > Index{10});
  REQUIRE(day.cluster.rot(number, Cluster::Rot::entry));
  CHECK(machine.in_doubt_up_to == Index{0});
  day.cluster.start(number);
  CHECK(machine.in_doubt_up_to == held);
  CHECK(machine.durable->whole_up_to() < held);
  day.pass(2'000'000);
  CHECK(day.judgement() == "");
  CHECK(machine.in_doubt_up_to == Index{0});
  CHECK(machine.durable->whole_up_to() >= held);
}

}  // namespace zatt::sim
