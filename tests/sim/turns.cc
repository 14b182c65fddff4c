// SPDX-License-Identifier: AGPL-3.0-or-later
// What a node computes takes time: while it does, its clock goes on, what arrives waits for the
// next turn of its loop, and what it says leaves when it was made.
#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/sim/cluster.h"

namespace zatt::sim {
namespace {

constexpr std::uint64_t turn_budget_us = 4'000;  // as loop/ has it
constexpr std::uint64_t long_turn_us = 50'000;

}  // namespace

void Cluster::charge(NodeNumber number, std::uint64_t items, std::uint64_t bytes) {
  machines_[number].turn_ns += 1000 * items * settings_.cpu_item_us + bytes * settings_.cpu_byte_ns;
}

bool Cluster::turn_is_over(NodeNumber number) const { return turn_us(number) >= turn_budget_us; }

void Cluster::when_computed(NodeNumber number, std::function<void()> what) {
  const std::uint64_t after_us = turn_us(number);
  if (after_us == 0) return what();
  scheduler_.in(after_us, [this, number, process = machines_[number].process, what] {
    if (machines_[number].process == process) what();
  });
}

// With what it has done in the turn that ends.
void Cluster::be_busy(NodeNumber number) {
  Machine& machine = machines_[number];
  const std::uint64_t us = turn_us(number);
  machine.turn_ns = 0;
  if (us == 0 && machine.deferred.empty()) return;
  if (us >= turn_budget_us) coverage_.count(Action::turn_used_up);
  if (us >= long_turn_us) coverage_.count(Action::turn_long);
  longest_turn_us_ = std::max(longest_turn_us_, us);
  machine.busy_until_us = scheduler_.now_us() + std::max<std::uint64_t>(us, 1);
  scheduler_.at(machine.busy_until_us,
                [this, number, process = machine.process] { run_turn(number, process); });
}

// All that waits, of peers and disks in any case, of clients as long as there is time. What is left
// keeps its order.
void Cluster::run_turn(NodeNumber number, std::uint64_t process) {
  Machine& machine = machines_[number];
  if (machine.process != process || machine.deferred.empty()) return;
  if (std::max(machine.paused_until_us, machine.busy_until_us) > scheduler_.now_us()) return;
  std::deque<Event> left;
  for (Event& event : std::exchange(machine.deferred, {})) {
    if (machine.stopped || (event.source.kind == Source::Kind::client && turn_is_over(number))) {
      left.push_back(std::move(event));
      continue;
    }
    scheduler_.trace(number);
    event.what(*machine.node);
    if (machine.stopped) continue;
    if (event.source.kind == Source::Kind::disk) machine.node->flush();
    if (!machine.stopped) checker_.after_event(number);
    machine.disk_failure.reset();
  }
  std::move(machine.deferred.begin(), machine.deferred.end(), std::back_inserter(left));
  machine.deferred = std::move(left);
  end_turn(number);
}

}  // namespace zatt::sim
