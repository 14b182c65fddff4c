// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/invariants.h"

#include <utility>

namespace zatt::sim {

namespace {

constexpr std::pair<Invariant, const char*> names[] = {
    {Invariant::election_safety, "election safety"},
    {Invariant::one_vote_a_term, "one vote a term"},
    {Invariant::terms_only_grow, "terms only grow"},
    {Invariant::leader_append_only, "a leader only appends"},
    {Invariant::log_matching, "log matching"},
    {Invariant::leader_completeness, "leader completeness"},
    {Invariant::state_machine_safety, "state machine safety"},
    {Invariant::commit_only_grows, "commit only grows"},
    {Invariant::durable_before_said, "durable before said"},
    {Invariant::committed_on_a_quorum, "committed on a quorum"},
    {Invariant::configuration_rules, "configuration rules"},
    {Invariant::match_is_durable, "match is durable"},
    {Invariant::linearizable, "linearizable"},
    {Invariant::session_order, "order of a connection"},
    {Invariant::equal_states, "equal states"},
    {Invariant::nothing_left_behind, "nothing left behind"},
    {Invariant::liveness, "liveness"},
    {Invariant::silent_after_damage, "silent after damage"},
    {Invariant::assertion, "assertion"},
    {Invariant::determinism, "determinism"},
    {Invariant::answered_in_time, "answered in time"},
    {Invariant::times_ascend, "times ascend"},
    {Invariant::memory_is_bounded, "memory is bounded"},
    {Invariant::load_is_borne, "load is borne"},
};

}  // namespace

const char* name_of(Invariant invariant) {
  for (const auto& [named, name] : names)
    if (named == invariant) return name;
  return "?";
}

std::string to_string(const Violation& violation) {
  return "I" + std::to_string(static_cast<int>(violation.invariant)) + " " +
         name_of(violation.invariant) + ": " + violation.what;
}

}  // namespace zatt::sim
