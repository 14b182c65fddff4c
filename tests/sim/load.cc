// SPDX-License-Identifier: AGPL-3.0-or-later
// A seed's last phase: clients ask as much as they may, and nothing else goes wrong.
#include <algorithm>

#include "tests/sim/seed_run.h"

namespace zatt::sim {
namespace {

constexpr std::uint64_t look_every_us = 50'000;
constexpr std::uint64_t most_lag_us = 2'000'000;
constexpr std::uint64_t most_still_us = 2'000'000;     // without an answer
constexpr std::uint64_t restart_after_us = 1'000'000;  // of a follower, where many write
constexpr std::uint64_t level_after_us = 9'000'000;    // of the load

}  // namespace

void SeedRun::bear_load() {
  const std::uint64_t terms = cluster_.checker().terms_led();
  const std::uint64_t cuts = cluster_.coverage().of(Action::link_overrun);
  const std::size_t asked = cluster_.workload().ops().size();
  load_began_us_ = moved_us_ = cluster_.now_us();
  if (settings_.load == Settings::Load::many && core_.size() == cluster_.size())
    for (const NodeNumber number : core_)
      if (!cluster_.machine(number).node->raft().is_leader()) restarted_ = number;
  if (restarted_ && core_.size() > 2) {
    cluster_.kill(*restarted_);
    cluster_.start_later(*restarted_, restart_after_us);
  }
  cluster_.workload().begin_load();
  const std::uint64_t end = load_began_us_ + settings_.load_us;
  while (cluster_.now_us() < end && !cluster_.checker().violation()) {
    run_until(cluster_.now_us() + look_every_us);
    watch_load(terms);
  }
  stop_asking();
  const std::uint64_t patience_us = 1000 * std::max<std::uint64_t>(settings_.timeout_ms, 3'000);
  if (!await("an answer to every client under load: ", patience_us + 1'000'000,
             [this] { return is_at_rest(); }))
    return;
  if (cluster_.coverage().of(Action::link_overrun) != cuts)
    return cluster_.checker().fail(Invariant::load_is_borne, "a link is cut by load");
  std::uint64_t unknown = 0, refused = 0;
  const std::vector<Op>& ops = cluster_.workload().ops();
  for (std::size_t i = asked; i < ops.size(); ++i) {
    unknown += ops[i].outcome == Op::Outcome::unknown ? 1U : 0U;
    refused += ops[i].outcome == Op::Outcome::failed ? 1U : 0U;
  }
  if (unknown > (ops.size() - asked) / 100)
    return cluster_.checker().fail(
        Invariant::load_is_borne,
        std::to_string(unknown) + " of " + std::to_string(ops.size() - asked) +
            " requests neither answered nor refused, " + std::to_string(refused) + " refused");
  cluster_.coverage().count(Action::load_borne);
}

void SeedRun::watch_load(std::uint64_t terms_before) {
  InvariantChecker& checker = cluster_.checker();
  if (checker.violation()) return;
  if (checker.terms_led() != terms_before)
    return checker.fail(Invariant::load_is_borne, "a leader is deposed by load:" + why_not());
  const std::uint64_t moved = cluster_.workload().answered();
  if (moved != moved_) {
    moved_ = moved;
    moved_us_ = cluster_.now_us();
  }
  if (cluster_.now_us() - moved_us_ > most_still_us)
    return checker.fail(
        Invariant::load_is_borne,
        "nobody is answered for " + std::to_string(most_still_us / 1000) + " ms:" + why_not());
  for (const NodeNumber number : core_)
    if (cluster_.machine(number).node && cluster_.machine(number).node->raft().is_leader())
      check_lag(number);
}

// How long ago what a follower holds was all that the leader had.
void SeedRun::check_lag(NodeNumber leader) {
  const std::uint64_t now = cluster_.now_us();
  const auto last_of = [this](NodeNumber number) {
    return cluster_.machine(number).node->raft().log().last_index();
  };
  marks_.push_back({now, last_of(leader)});
  for (const NodeNumber number : core_) {
    if (!cluster_.machine(number).node) continue;
    if (number == restarted_ && now < load_began_us_ + level_after_us) continue;
    const auto behind = std::find_if(marks_.begin(), marks_.end(), [&](const auto& mark) {
      return mark.second > last_of(number);
    });
    if (behind == marks_.end()) continue;
    most_lag_us_ = std::max(most_lag_us_, now - behind->first);
    if (now - behind->first > most_lag_us)
      cluster_.checker().fail(Invariant::load_is_borne,
                              "node " + std::to_string(number) + " is " +
                                  std::to_string((now - behind->first) / 1000) +
                                  " ms behind:" + why_not());
  }
}

}  // namespace zatt::sim
