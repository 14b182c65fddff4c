// SPDX-License-Identifier: AGPL-3.0-or-later
// What must hold whatever goes wrong, by name and number; README.md says each in a sentence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace zatt::sim {

// The numbers are those of README.md's table, and zatt-sim's exit status is 20 more.
enum class Invariant : std::uint8_t {
  election_safety = 1,
  one_vote_a_term = 2,
  terms_only_grow = 3,
  leader_append_only = 4,
  log_matching = 5,
  leader_completeness = 6,
  state_machine_safety = 7,
  commit_only_grows = 8,
  durable_before_said = 9,
  committed_on_a_quorum = 10,
  configuration_rules = 11,
  match_is_durable = 12,
  linearizable = 14,
  session_order = 16,
  equal_states = 18,
  nothing_left_behind = 19,
  liveness = 20,
  silent_after_damage = 21,
  assertion = 22,    // one of the product's own
  determinism = 23,  // the same seed, another day
  answered_in_time = 24,
  times_ascend = 25,
  memory_is_bounded = 26,
  load_is_borne = 27,
};
const char* name_of(Invariant invariant);
inline int exit_status(Invariant invariant) { return 20 + static_cast<int>(invariant); }

struct Violation {
  Invariant invariant = Invariant::liveness;
  std::string what;  // for a person
};
std::string to_string(const Violation& violation);  // "I9 durable before said: ..."

}  // namespace zatt::sim
