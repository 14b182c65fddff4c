// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/invariants.h"

namespace zatt::sim {

const char* name_of(Invariant invariant) {
  switch (invariant) {
    case Invariant::election_safety:
      return "election safety";
    case Invariant::one_vote_a_term:
      return "one vote a term";
    case Invariant::terms_only_grow:
      return "terms only grow";
    case Invariant::leader_append_only:
      return "a leader only appends";
    case Invariant::log_matching:
      return "log matching";
    case Invariant::leader_completeness:
      return "leader completeness";
    case Invariant::state_machine_safety:
      return "state machine safety";
    case Invariant::commit_only_grows:
      return "commit only grows";
    case Invariant::durable_before_said:
      return "durable before said";
    case Invariant::committed_on_a_quorum:
      return "committed on a quorum";
    case Invariant::configuration_rules:
      return "configuration rules";
    case Invariant::match_is_durable:
      return "match is durable";
    case Invariant::linearizable:
      return "linearizable";
    case Invariant::session_order:
      return "order of a connection";
    case Invariant::equal_states:
      return "equal states";
    case Invariant::nothing_left_behind:
      return "nothing left behind";
    case Invariant::liveness:
      return "liveness";
    case Invariant::silent_after_damage:
      return "silent after damage";
    case Invariant::assertion:
      return "assertion";
    case Invariant::determinism:
      return "determinism";
    case Invariant::answered_in_time:
      return "answered in time";
    case Invariant::times_ascend:
      return "times ascend";
  }
  return "?";
}

std::string to_string(const Violation& violation) {
  return "I" + std::to_string(static_cast<int>(violation.invariant)) + " " +
         name_of(violation.invariant) + ": " + violation.what;
}

}  // namespace zatt::sim
