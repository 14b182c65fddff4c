// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/faults.h"

#include <algorithm>
#include <iterator>

namespace zatt::sim {
namespace {

constexpr std::uint64_t bootstrap_us = 4'000'000;  // is left alone after that
constexpr std::uint32_t most_wiped_in_bootstrap =
    12;  // directories; each costs all others an offer

}  // namespace

FaultSchedule::FaultSchedule(Cluster& cluster, const Settings& settings)
    : cluster_(cluster), settings_(settings), prng_(settings.seed ^ 0xd1ce) {
  // Damage and loss that no crash does are for these alone: a bare majority of copies stays good.
  const std::uint32_t most = settings.beyond ? settings.nodes : (settings.nodes - 1) / 2;
  for (std::uint32_t chosen = 0; chosen < most;) {
    Machine& machine = cluster.machine(any_node());
    if (!machine.may_rot) ++chosen;
    machine.may_rot = true;
  }
}

void FaultSchedule::again(std::uint64_t mean_us, void (FaultSchedule::*what)()) {
  if (mean_us == 0) return;
  cluster_.scheduler().in(around(mean_us), [this, mean_us, what] {
    if (ended_) return;
    (this->*what)();
    again(mean_us, what);
  });
}

void FaultSchedule::begin() {
  end_us_ = cluster_.now_us() + settings_.faults_us;
  again(settings_.crash_every_us, &FaultSchedule::crash_someone);
  again(settings_.partition_every_us, &FaultSchedule::partition_someone);
  again(settings_.clog_every_us, &FaultSchedule::clog_someone);
  again(settings_.late_every_us, &FaultSchedule::replace_someones_link);
  again(settings_.pause_every_us, &FaultSchedule::pause_someone);
  again(settings_.suspend_every_us, &FaultSchedule::suspend_someone);
  again(settings_.hang_every_us, &FaultSchedule::hang_someone);
  again(settings_.full_every_us, &FaultSchedule::fill_someone);
  again(settings_.rot_every_us, &FaultSchedule::rot_someone);
  if (settings_.bootstrap_every_us > 0)
    cluster_.scheduler().in(around(settings_.bootstrap_every_us), [this] { trouble_bootstrap(); });
  for (std::uint32_t i = 0; i < settings_.wipes; ++i)
    cluster_.scheduler().in(prng_.below(settings_.faults_us), [this] {
      if (!ended_) wipe_someone();
    });
}

std::uint64_t FaultSchedule::left_us() const {
  return cluster_.now_us() < end_us_ ? end_us_ - cluster_.now_us() : 0;
}

std::optional<NodeNumber> FaultSchedule::leader() const {
  for (NodeNumber number = 0; number < cluster_.size(); ++number) {
    const Machine& machine = cluster_.machine(number);
    if (machine.node && machine.node->raft().is_leader()) return number;
  }
  return std::nullopt;
}

NodeNumber FaultSchedule::leader_or_any() {
  const NodeNumber drawn = any_node();
  return prng_.chance(1, 2) ? drawn : leader().value_or(drawn);
}

// --- machines ------------------------------------------------------------------------------------

void FaultSchedule::crash(NodeNumber number) {
  const bool power = prng_.below(100) < settings_.power_loss_percent;
  const auto mode = test::every_crash[prng_.below(std::size(test::every_crash))];
  if (cluster_.machine(number).process == 0) return;
  if (prng_.chance(1, 6)) return cluster_.stop(number);
  cluster_.coverage().count(power ? Action::power_lost : Action::killed);
  if (power)
    cluster_.lose_power(number, mode);
  else
    cluster_.kill(number);
  cluster_.start_later(number, around(settings_.down_mean_us));
}

void FaultSchedule::crash_someone() {
  const bool all = prng_.below(100) < settings_.crash_all_percent;
  const NodeNumber chosen = leader_or_any();
  if (all) cluster_.coverage().count(Action::all_crashed);
  for (NodeNumber number = 0; number < cluster_.size(); ++number)
    if (all || number == chosen) crash(number);
}

void FaultSchedule::pause_someone() {
  const NodeNumber number = leader_or_any();
  const std::uint64_t length = std::min(around(settings_.pause_mean_us), left_us());
  const std::uint64_t timeouts = prng_.between(3, 9);
  const auto leading = leader();
  if (prng_.chance(1, 3) || !leading) return cluster_.pause(number, length, false);
  // Long enough for another leader; it begins within that time, too.
  cluster_.pause_in_a_round(
      *leading, std::min(timeouts * 1000 * settings_.election_timeout_ms, left_us() / 2));
}

void FaultSchedule::suspend_someone() {
  const NodeNumber number = any_node();
  cluster_.pause(number, std::min(around(settings_.pause_mean_us), left_us()), true);
}

std::optional<NodeNumber> FaultSchedule::any_able() {
  std::vector<NodeNumber> able;
  for (NodeNumber number = 0; number < cluster_.size(); ++number)
    if (cluster_.machine(number).may_rot) able.push_back(number);
  if (able.empty()) return std::nullopt;
  return able[prng_.below(able.size())];
}

void FaultSchedule::wipe_someone() {
  const auto number = any_able();
  if (!number || wiped_ + 1 == cluster_.size()) return;
  ++wiped_;
  cluster_.kill(*number);
  cluster_.empty_directory(*number);
  cluster_.start_later(*number, around(settings_.down_mean_us));
}

bool FaultSchedule::has_acted() const {
  for (NodeNumber number = 0; number < cluster_.size(); ++number) {
    const Machine& machine = cluster_.machine(number);
    if (machine.node && machine.node->raft().current_term() > Term{0}) return true;
    for (const std::size_t i : {0U, 1U})  // also while it is down
      if (const auto& slot = machine.durable->slot(i); slot && slot->current_term > Term{0})
        return true;
  }
  return false;
}

// What it stores just now is done in part.
NodeNumber FaultSchedule::writing_or_any() {
  const NodeNumber first = any_node();
  for (NodeNumber i = 0; i < cluster_.size(); ++i) {
    const NodeNumber number = (first + i) % cluster_.size();
    if (cluster_.machine(number).batch) return number;
  }
  return first;
}

// Processes end, and directories are emptied, while offers are on their way: until somebody has
// acted in the cluster that was founded.
void FaultSchedule::trouble_bootstrap() {
  const bool in_time = left_us() + bootstrap_us > settings_.faults_us;
  if (ended_ || !in_time || has_acted()) return;
  cluster_.scheduler().in(around(settings_.bootstrap_every_us), [this] { trouble_bootstrap(); });
  const std::uint64_t down_us = prng_.below(prng_.chance(1, 4) ? 300'000 : 20'000);
  const auto mode = test::every_crash[prng_.below(std::size(test::every_crash))];
  const bool power = prng_.chance(3, 4) && settings_.power_loss_percent > 0;
  const auto able = any_able();
  if (able && prng_.chance(1, 2) && wiped_in_bootstrap_ < most_wiped_in_bootstrap) {
    ++wiped_in_bootstrap_;
    cluster_.coverage().count(Action::wiped_in_bootstrap);
    cluster_.kill(*able);
    cluster_.empty_directory(*able);
    return cluster_.start_later(*able, down_us);
  }
  const NodeNumber number = writing_or_any();
  if (cluster_.process(number) == 0) return;
  cluster_.coverage().count(Action::crashed_in_bootstrap);
  if (power)
    cluster_.lose_power(number, mode);
  else
    cluster_.kill(number);
  cluster_.start_later(number, down_us);
}

// --- disks ---------------------------------------------------------------------------------------

void FaultSchedule::hang_someone() {
  const NodeNumber number = leader_or_any();
  const bool for_good = prng_.chance(1, 4);  // until its process or its machine is gone
  const std::uint64_t length = around(settings_.stall_most_us);
  cluster_.hang_disk(number);
  if (!for_good) {
    cluster_.scheduler().in(length, [this, number] {
      if (!ended_) cluster_.free_disk(number);
    });
    return;
  }
  cluster_.scheduler().in(around(4 * settings_.stall_most_us), [this, number] {
    if (ended_ || !cluster_.machine(number).hung) return;
    cluster_.lose_power(number, test::Crash::all_lost);  // somebody pulls the plug
    cluster_.start_later(number, around(settings_.down_mean_us));
  });
}

void FaultSchedule::fill_someone() {
  const NodeNumber number = any_node();
  cluster_.limit_space(number, prng_.below(4 * settings_.segment_bytes));
  cluster_.scheduler().in(around(settings_.stall_most_us), [this, number] {
    if (!ended_) cluster_.free_space(number);
  });
}

void FaultSchedule::rot_someone() {
  const auto able = any_able();
  if (!able) return;
  const NodeNumber number = *able;
  const std::uint64_t schedule = prng_.below(10);
  if (schedule >= 8) return damage_segment(number);
  using Rot = Cluster::Rot;
  cluster_.rot(number, schedule == 0 ? Rot::slot : schedule == 1 ? Rot::header : Rot::entry);
}

// While nobody looks: of one that is down, or is brought down for it.
void FaultSchedule::damage_segment(NodeNumber number) {
  if (cluster_.process(number) != 0) {
    if (prng_.chance(1, 2))
      cluster_.kill(number);
    else
      cluster_.lose_power(number, test::every_crash[prng_.below(std::size(test::every_crash))]);
    cluster_.start_later(number, around(settings_.down_mean_us));
  }
  cluster_.damage_segment(number);
}

// --- the network ---------------------------------------------------------------------------------

void FaultSchedule::clog_someone() {
  const NodeNumber from = any_node();
  const NodeNumber to = any_node();
  const bool both = prng_.chance(1, 2);
  const std::uint64_t until =
      cluster_.now_us() + std::min<std::uint64_t>(prng_.below(5'000'000), left_us());
  cluster_.coverage().count(Action::clogged);
  cluster_.network().clog(from, to, until);
  if (both) cluster_.network().clog(to, from, until);
}

void FaultSchedule::replace_someones_link() {
  const NodeNumber a = leader_or_any();
  const NodeNumber b = any_node();
  cluster_.network().replace_unread(a, b);
}

void FaultSchedule::cut_both(NodeNumber a, NodeNumber b) {
  if (a == b) return;
  cluster_.network().cut(a, b);
  cluster_.network().cut(b, a);
}

// Shapes in which links are seen to fail: Howard and Abraham, "Raft does not guarantee liveness in
// the face of network faults", and Cloudflare's day of a switch that passed half.
void FaultSchedule::cut_shape(std::uint64_t shape) {
  const NodeNumber n = cluster_.size();
  const NodeNumber alone = leader_or_any();
  const std::uint64_t sides = prng_.next();
  const std::uint64_t turn = prng_.below(n);  // where the ring or the chain begins
  const auto place = [&](NodeNumber number) { return (number + turn) % n; };
  static constexpr Action actions[] = {Action::halves,      Action::one_alone, Action::cut_one_way,
                                       Action::cut_one_way, Action::ring,      Action::chain,
                                       Action::bridge};
  cluster_.coverage().count(actions[shape]);
  for (NodeNumber a = 0; a < n; ++a) {
    for (NodeNumber b = 0; b < n; ++b) {
      if (a == b) continue;
      const std::uint64_t apart = place(a) > place(b) ? place(a) - place(b) : place(b) - place(a);
      const bool same_side = ((sides >> a) & 1) == ((sides >> b) & 1);
      const bool one_way = prng_.chance(1, 4);
      bool cut = false;
      switch (shape) {
        case 0:  // halves
          cut = !same_side;
          break;
        case 1:  // one is alone
          cut = a == alone || b == alone;
          break;
        case 2:  // heard by nobody, and hears all; or the other way round
          cut = (sides & 1) != 0 ? a == alone : b == alone;
          break;
        case 3:  // links that pass one way
          cut = one_way;
          break;
        case 4:  // a ring: each with its neighbours
          cut = apart != 1 && apart != n - 1;
          break;
        case 5:  // a chain
          cut = apart != 1;
          break;
        default:  // halves with one that sees both
          cut = !same_side && a != alone && b != alone;
      }
      if (cut) cluster_.network().cut(a, b);
    }
  }
}

void FaultSchedule::partition_someone() {
  cluster_.network().heal();
  cluster_.coverage().count(Action::partitioned);
  cut_shape(prng_.below(7));
  cluster_.scheduler().in(around(settings_.partition_mean_us), [this] {
    if (!ended_) cluster_.network().heal();
  });
}

void FaultSchedule::break_for_good(const std::vector<NodeNumber>& nodes,
                                   const std::vector<NodeNumber>& core) {
  for (const NodeNumber number : nodes) {
    const std::uint64_t way = prng_.below(5);
    cluster_.tell("node " + std::to_string(number) + " stays outside, way " + std::to_string(way));
    if (way == 0) cluster_.kill(number);
    // Else it would come back in the quiet time, or speak up when a slow write of long ago is done.
    cluster_.machine(number).is_gone = cluster_.process(number) == 0;
    cluster_.hurry_disk(number);
    if (way == 1) cluster_.hang_disk(number);
    for (const NodeNumber other : core) {
      if (way == 2 || way == 3) cluster_.network().cut(other, number);  // it is deaf
      if (way == 2 || way == 4) cluster_.network().cut(number, other);  // it is dumb
    }
  }
}

}  // namespace zatt::sim
