// SPDX-License-Identifier: AGPL-3.0-or-later
// Processes that stand still, and what they do first when they go on.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sim/cluster.h"

namespace zatt::sim {

void Cluster::pause(NodeNumber number, std::uint64_t us, bool clock_stands) {
  Machine& machine = machines_[number];
  if (machine.process == 0 || machine.paused_until_us > scheduler_.now_us()) return;
  coverage_.count(clock_stands ? Action::suspended : Action::paused);
  machine.paused_until_us = scheduler_.now_us() + us;
  machine.clock_stands = clock_stands;
  log(number, (clock_stands ? "stands still with its clock for " : "stands still for ") +
                  std::to_string(us / 1000) + " ms");
  if (clock_stands) {
    const std::uint64_t now = node_time(number, scheduler_.now_us());
    machine.clock_offset_us -= node_time(number, machine.paused_until_us) - now;
  }
  scheduler_.at(machine.paused_until_us,
                [this, number, process = machine.process] { go_on(number, process); });
}

void Cluster::pause_in_a_round(NodeNumber number, std::uint64_t us) {
  Machine& machine = machines_[number];
  if (!machine.node) return;
  const auto* leader = std::get_if<raft::Leader>(&machine.node->raft().role());
  machine.pause_in_a_round_us = us;
  machine.ask_until_us = scheduler_.now_us() + us;
  machine.round_before = leader == nullptr ? 0 : leader->reads.round();
  workload_.visit(number, false);
}

// The answers lie there when it goes on, and so does what came later, in whatever order.
void Cluster::pause_if_in_a_round(NodeNumber number) {
  Machine& machine = machines_[number];
  if (machine.ask_until_us <= scheduler_.now_us()) return;
  const auto* leader = std::get_if<raft::Leader>(&machine.node->raft().role());
  if (leader == nullptr || !leader->reads.is_round_under_way()) return;
  if (leader->reads.round() == machine.round_before) return;  // it may have most answers already
  coverage_.count(Action::paused_in_a_round);
  machine.ask_until_us = 0;
  machine.asked_before_pause = true;
  pause(number, machine.pause_in_a_round_us, false);
  await_others(number, machine.process, Term{0});
}

// Another leads, somebody writes there, and wants to see here what was written.
void Cluster::await_others(NodeNumber number, std::uint64_t process, Term visited) {
  scheduler_.in(100 * settings_.election_timeout_ms, [=, this] {
    Machine& machine = machines_[number];
    if (machine.process != process || !machine.asked_before_pause) return;
    const raft::Raft& raft = machine.node->raft();
    if (workload_.last_told() > raw(raft.commit_index())) {
      coverage_.count(Action::deposed_in_a_round);
      workload_.visit(number, false);
      const std::uint64_t arrives_us = scheduler_.now_us() + 5 * settings_.delay_mean_us;
      machine.paused_until_us = std::min(machine.paused_until_us, arrives_us);
      scheduler_.at(machine.paused_until_us, [=, this] { go_on(number, process); });
      return;
    }
    const auto other = leader_after(raft.current_term());
    const Term term = other ? machines_[*other].node->raft().current_term() : visited;
    if (term > visited) workload_.visit(*other, true);
    await_others(number, process, term);
  });
}

std::optional<NodeNumber> Cluster::leader_after(Term term) const {
  for (NodeNumber number = 0; number < size(); ++number) {
    const Machine& machine = machines_[number];
    if (machine.node && machine.node->raft().is_leader() &&
        machine.node->raft().current_term() > term)
      return number;
  }
  return std::nullopt;
}

// After a pause, what came meanwhile is handled before any timer: as server/ has it.
void Cluster::go_on(NodeNumber number, std::uint64_t process) {
  Machine& machine = machines_[number];
  if (machine.process != process || machine.paused_until_us == 0) return;
  if (machine.paused_until_us > scheduler_.now_us()) return;  // it stands still once more
  machine.paused_until_us = 0;
  machine.went_on_us = scheduler_.now_us();
  auto waiting = std::exchange(machine.deferred, {});
  mix(waiting, std::exchange(machine.asked_before_pause, false));
  for (Event& event : waiting) enter(number, process, std::move(event));
  if (machine.process == process) schedule_wake(number);
}

// The kernel says in any order which sockets are ready, and each is read to its end, or in part.
// Half of the times, and where answers to a round wait, clients come first: who was deposed
// meanwhile hears them before it hears of that.
void Cluster::mix(std::deque<Event>& events, bool clients_first) {
  clients_first = prng_.chance(1, 2) || clients_first;
  std::map<Source, std::pair<bool, std::uint64_t>> ranks;
  for (const Event& event : events) {
    const bool is_late = clients_first && event.source.kind != Source::Kind::client;
    if (!ranks.contains(event.source)) ranks[event.source] = {is_late, prng_.next()};
  }
  if (ranks.size() > 1) coverage_.count(Action::read_out_of_order);
  // Or a little of each, by turns.
  const bool by_turns = prng_.chance(1, 2);
  std::map<Source, std::uint64_t> fault_points;
  std::vector<std::pair<std::tuple<bool, std::uint64_t, std::uint64_t>, std::size_t>> order;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto& [is_late, rank] = ranks.at(events[i].source);
    const std::uint64_t turn = by_turns ? ++fault_points[events[i].source] : 0;
    order.push_back({{is_late, turn, rank}, i});
  }
  std::sort(order.begin(), order.end());
  std::deque<Event> mixed;
  for (const auto& [key, i] : order) mixed.push_back(std::move(events[i]));
  events = std::move(mixed);
}

}  // namespace zatt::sim
