// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/cluster.h"

#include <algorithm>
#include <cstdio>

namespace zatt::sim {

Cluster::Cluster(const Settings& settings, bool verbose)
    : settings_(settings),
      verbose_(verbose),
      prng_(settings.seed ^ 0xc1057e4),
      machines_(settings.nodes),
      judge_(machines_),
      network_(settings_, scheduler_, *this),
      workload_(settings_, scheduler_, *this) {
  for (Machine& machine : machines_) {
    machine.disk = std::make_unique<test::SimDisk>();
    machine.durable = std::make_unique<test::DurableLog>(*machine.disk);
    const std::int64_t range = settings.drift_ppm;
    machine.drift_ppm =
        static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(2 * range + 1))) - range;
    machine.timeout_percent = 100 + prng_.below(settings.skew_percent + 1);
    machine.clock_offset_us = prng_.below(1'000'000'000);
  }
}

std::uint64_t Cluster::around(std::uint64_t mean_us) { return prng_.below(2 * mean_us) + 1; }

std::optional<std::string> Cluster::run() {
  for (NodeNumber number = 0; number < settings_.nodes; ++number)
    start_later(number, prng_.below(300'000));
  schedule_faults();
  workload_.start();
  const std::uint64_t faults_end = scheduler_.now_us() + settings_.faults_us;
  while (!judge_.violation() && scheduler_.run_one(faults_end)) {
  }
  make_well();
  const std::uint64_t settle_end = scheduler_.now_us() + settings_.settle_us;
  const std::uint64_t last_question = scheduler_.now_us() + 2'000'000;
  bool well = false;
  while (!judge_.violation() && !well && scheduler_.run_one(settle_end)) {
    if (scheduler_.now_us() >= last_question) workload_.stop_asking();
    well = scheduler_.now_us() >= last_question && is_well();
  }
  if (judge_.violation()) return judge_.violation();
  if (!workload_.problem().empty()) return workload_.problem();
  if (auto wrong = check_history(workload_.ops(), judge_.ledger())) {
    if (verbose_)
      for (const Op& op : workload_.ops()) std::printf("%s\n", to_string(op).c_str());
    return wrong;
  }
  if (!well) {
    std::string text =
        "not well " + std::to_string(settings_.settle_us / 1000) + " ms after the last fault:";
    for (const Machine& machine : machines_)
      text += !machine.node
                  ? " (down)"
                  : " (term " + std::to_string(raw(machine.node->raft().current_term())) +
                        " commit " + std::to_string(raw(machine.node->raft().commit_index())) +
                        " applied " + std::to_string(raw(machine.node->last_applied())) +
                        (machine.node->raft().is_leader() ? " leads" : "") + ": " +
                        machine.node->why_no_leader() + ")";
    return text + (workload_.is_at_rest() ? "" : " and clients wait for answers");
  }
  return std::nullopt;
}

// Everybody runs, one leads, all have applied all that is committed, and no client waits.
bool Cluster::is_well() const {
  if (!workload_.is_at_rest()) return false;
  const node::Node* leader = nullptr;
  for (const Machine& machine : machines_) {
    if (!machine.node) return false;
    if (machine.node->raft().is_leader()) leader = machine.node.get();
  }
  if (leader == nullptr) return false;
  return std::all_of(machines_.begin(), machines_.end(), [&](const Machine& machine) {
    return machine.node->last_applied() == leader->raft().log().last_index();
  });
}

std::string Cluster::summary() const {
  return std::to_string(workload_.ops().size()) + " requests, " +
         std::to_string(workload_.acknowledged()) + " done, " + std::to_string(judge_.committed()) +
         " entries, " + std::to_string(judge_.terms_led()) + " leaders";
}

// --- faults ------------------------------------------------------------------------------------

void Cluster::schedule_faults() {
  if (settings_.crash_every_us > 0)
    scheduler_.in(around(settings_.crash_every_us), [this] { crash_someone(); });
  if (settings_.partition_every_us > 0)
    scheduler_.in(around(settings_.partition_every_us), [this] { partition_someone(); });
  if (settings_.pause_every_us > 0)
    scheduler_.in(around(settings_.pause_every_us), [this] { pause_someone(); });
  for (std::uint32_t i = 0; i < settings_.wipes; ++i)
    scheduler_.in(prng_.below(settings_.faults_us), [this] { wipe_someone(); });
}

void Cluster::crash_someone() {
  if (!faulty_) return;
  const bool all = prng_.below(100) < settings_.crash_all_percent;
  const auto chosen = static_cast<NodeNumber>(prng_.below(settings_.nodes));
  for (NodeNumber number = 0; number < settings_.nodes; ++number)
    if (all || number == chosen) crash(number);
  scheduler_.in(around(settings_.crash_every_us), [this] { crash_someone(); });
}

void Cluster::partition_someone() {
  if (!faulty_) return;
  network_.heal();
  const std::uint64_t kind = prng_.below(6);
  const std::uint64_t side = prng_.below(1ULL << settings_.nodes);
  auto alone = static_cast<NodeNumber>(prng_.below(settings_.nodes));
  if (kind >= 4) {  // a leader that does not know yet that it was one
    const auto leader = std::find_if(machines_.begin(), machines_.end(), [](const Machine& m) {
      return m.node && m.node->raft().is_leader();
    });
    if (leader != machines_.end())
      alone = static_cast<NodeNumber>(std::distance(machines_.begin(), leader));
  }
  for (NodeNumber from = 0; from < settings_.nodes; ++from) {
    for (NodeNumber to = 0; to < settings_.nodes; ++to) {
      const bool apart = ((side >> from) & 1) != ((side >> to) & 1);
      const bool cut = kind == 0                ? apart
                       : kind != 2 && kind != 3 ? (from == alone) != (to == alone)
                       : kind == 2 ? from == alone && to != alone  // heard by nobody, hears all
                                   : from != to && prng_.chance(1, 4);
      if (cut) network_.cut(from, to);
    }
  }
  scheduler_.in(around(settings_.partition_mean_us), [this] { network_.heal(); });
  scheduler_.in(around(settings_.partition_every_us) + settings_.partition_mean_us,
                [this] { partition_someone(); });
}

void Cluster::pause_someone() {
  if (!faulty_) return;
  Machine& machine = machines_[prng_.below(settings_.nodes)];
  machine.paused_until_us = scheduler_.now_us() + around(1'000'000);
  scheduler_.in(around(settings_.pause_every_us), [this] { pause_someone(); });
}

void Cluster::wipe_someone() {
  if (!faulty_) return;
  const auto number = static_cast<NodeNumber>(prng_.below(settings_.nodes));
  crash(number);
  Machine& machine = machines_[number];
  machine.durable.reset();  // it watches the disk
  machine.disk = std::make_unique<test::SimDisk>();
  machine.durable = std::make_unique<test::DurableLog>(*machine.disk);
  machine.self = {};
}

void Cluster::make_well() {
  faulty_ = false;
  network_.heal();
  network_.make_perfect();
  for (NodeNumber number = 0; number < settings_.nodes; ++number) {
    if (machines_[number].process == 0) start_later(number, prng_.below(100'000));
  }
}

}  // namespace zatt::sim
