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
constexpr std::uint64_t most_held_bytes = 64 << 20;      // for others, as a node is meant to
constexpr std::uint64_t most_unsynced_bytes = 64 << 20;  // of a log: node/persister.h
constexpr std::uint64_t largest_line = 2 << 20;          // as options_of() has it

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

// What it holds for clients and peers, as far as that can be seen from outside: answers that wait
// in it behind others cannot. Appends have bounds of their own, and one line is always taken.
void Cluster::check_memory(NodeNumber number) {
  const Machine& machine = machines_[number];
  const std::uint64_t held = machine.client_bytes + network_.bytes_from(number);
  most_held_ = std::max(most_held_, held);
  const std::uint64_t appends = size() * (settings_.max_in_flight_bytes + largest_line);
  if (held > most_held_bytes + 4 * largest_line + appends)
    checker_.fail(Invariant::memory_is_bounded,
                  "node " + std::to_string(number) + " holds " + std::to_string(held >> 20) +
                      " MiB for others: " + std::to_string(machine.client_bytes >> 20) +
                      " for clients");
  const std::uint64_t log = machine.node->raft().log().bytes_in_memory();
  if (log > machine.max_log_bytes + most_unsynced_bytes + 4 * largest_line)
    checker_.fail(
        Invariant::memory_is_bounded,
        "node " + std::to_string(number) + " holds a log of " + std::to_string(log >> 20) + " MiB");
}

}  // namespace zatt::sim
