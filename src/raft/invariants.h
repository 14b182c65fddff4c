// SPDX-License-Identifier: AGPL-3.0-or-later
// What one server can check of itself: what holds after each step, and from one step to the next.
//
// Raft::step() runs these, and ends the process where one is broken, before anything of that step is
// acted on: a server that doubts itself stops, and its peers carry on. What needs several servers
// to be seen (one leader a term, what is committed is on a majority's disks) only tests can check.
// Each function returns the broken invariant in words, or nullptr; the texts are static.
#pragma once

#include <optional>

#include "base/types.h"
#include "raft/output.h"
#include "raft/role.h"

namespace zatt::raft {

class Raft;

// What is looked at, as values; ids are borrowed.
struct CoreState {
  const MemberId* self = nullptr;
  Term current_term{};
  const std::optional<MemberId>* voted_for = nullptr;
  bool is_leader = false;
  Index applied_index{};
  Index commit_index{};
  Index durable_index{};
  Index last_index{};
  Term last_term{};
};
CoreState core_state(const Raft& raft);

// After every step, always: terms and commit_index only grow, a vote is given once a term, a leader
// only appends, and the indices are in order.
const char* broken_by_step(const CoreState& before, const CoreState& now);

// After every step where Options::check_output is set: what is written continues the log and cuts
// nothing committed, and nothing is said before the disk has kept what it rests on.
const char* broken_by_output(const CoreState& before, const CoreState& now, const Output& output);

// The same for what a leader believes of its followers' logs.
const char* broken_by_progress(const CoreState& now, const Leader& leader);

}  // namespace zatt::raft
