// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/coverage.h"

#include <algorithm>
#include <iterator>

namespace zatt::sim {
namespace {

constexpr const char* coverage_point_names[] = {
    "election_won",
    "election_lost",
    "election_split",
    "pre_vote_refused_leader_heard",
    "pre_vote_refused_log_behind",
    "vote_refused_old_term",
    "vote_refused_given_away",
    "vote_refused_log_behind",
    "vote_refused_below_floor",
    "quorum_lost",
    "append_refused",
    "log_rewound",
    "suffix_truncated",
    "noop_committed",
    "older_entries_committed",
    "entries_sent_again",
    "reply_of_earlier_term_ignored",
    "old_leader_corrected",
    "arrival_answered",
    "follower_takes_no_more",
    "hung_disk_transferred",
    "full_disk_transferred",
    "hung_disk_started_no_election",
    "floor_started_no_election",
    "floor_reached",
    "open_floor_reached",
    "reads_failed_at_step_down",
    "read_bounded_by_noop",
    "torn_tail_truncated",
    "damage_found",
    "unproven_entries_copied",
    "bad_slot_found",
    "bad_header_found",
    "rolled_over",
    "truncated_over_a_roll_over",
    "segment_file_reused",
    "disk_full",
    "log_waited_for_room",
    "read_met_a_cut",
    "disk_has_room",
    "log_end_noted",
    "entries_read_back",
    "late_hello_refused",
    "frame_to_another_boot",
    "frame_from_another_boot",
    "old_incarnation_refused",
    "offer_given_up",
    "offer_overtaken",
    "offer_void",
    "truncation_of_offer_lost",
    "living_cluster_entered",
    "bootstrapped_by_a_message",
    "bootstrap_stuck",
    "entries_not_taken",
    "forward_not_taken",
    "forward_lost",
    "forward_replaced",
    "write_waited",
    "forward_applied_here",
    "proposal_replaced",
    "outcome_unknown",
    "read_asked_again",
    "reply_held_back",
    "reply_waits_for_room",
    "reply_without_room",
    "responses_left_for_next_turn",
    "apply_left_for_next_turn",
    "proposals_waited_for_a_voter",
    "client_paused",
    "disk_failed",
};
static_assert(std::size(coverage_point_names) == static_cast<std::size_t>(CoveragePoint::count));

constexpr const char* fault_point_names[] = {
    "one_entry_append", "bare_quorum",  "stop_leading", "split_batch",
    "roll_over",        "delay_apply",  "give_up_soon", "small_window",
    "overload",         "pause_client", "small_buffer",
};
static_assert(std::size(fault_point_names) == static_cast<std::size_t>(FaultPoint::count));

constexpr const char* action_names[] = {
    "killed",
    "power_lost",
    "all_crashed",
    "crashed_in_a_write",
    "crashed_in_recovery",
    "name_lost",
    "wiped",
    "paused",
    "suspended",
    "read_out_of_order",
    "disk_stalled",
    "disk_hung",
    "sync_failed",
    "read_failed",
    "read_beside_a_batch",
    "write_failed",
    "short_write",
    "no_space",
    "space_again",
    "entry_rotted",
    "header_rotted",
    "slot_rotted",
    "segment_damaged",
    "stopped_in_good_order",
    "start_refused",
    "partitioned",
    "cut_one_way",
    "ring",
    "bridge",
    "chain",
    "halves",
    "one_alone",
    "clogged",
    "over_capacity",
    "reset",
    "read_late",
    "strayed",
    "stuck",
    "arrived_after_a_cut",
    "given_up_after_a_cut",
    "crashed_in_bootstrap",
    "wiped_in_bootstrap",
    "paused_in_a_round",
    "deposed_in_a_round",
    "request_abandoned",
    "client_moved",
    "value_of_a_megabyte",
    "empty_value",
    "no_leader_told",
    "storage_full_told",
    "overloaded_told",
    "condition_failed_told",
    "proposed",
    "barrier_done",
    "proposal_unknown",
    "proposal_refused",
    "long_batch",
    "bulk_overtaken",
    "link_overrun",
    "load_borne",
    "turn_used_up",
    "turn_long",
    "order_found",
};
static_assert(std::size(action_names) == static_cast<std::size_t>(Action::count_));

// Only these speak of a term that the receiver may have left behind.
bool has_a_term(Kind kind) { return kind >= Kind::pre_vote && kind <= Kind::timeout_now; }

}  // namespace

void Coverage::add(const Coverage& other) {
  for (std::size_t i = 0; i < size; ++i) numbers_[i] += other.numbers_[i];
}

std::string Coverage::name_at(std::size_t place) {
  if (place < fault_points) return coverage_point_names[place];
  if (place < actions) return std::string("inject_") + fault_point_names[place - fault_points];
  if (place < dropped) return std::string("action_") + action_names[place - actions];
  if (place < doubled) return std::string("dropped_") + name_of(static_cast<Kind>(place - dropped));
  if (place < late) return std::string("doubled_") + name_of(static_cast<Kind>(place - doubled));
  return std::string("late_") + name_of(static_cast<Kind>(place - late));
}

bool Coverage::applies(std::size_t place) {
  return place < late || has_a_term(static_cast<Kind>(place - late));
}

std::vector<std::string> Coverage::lines() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < size; ++i)
    if (applies(i)) all.push_back(name_at(i) + "=" + std::to_string(numbers_[i]));
  return all;
}

// Classes of faults that are drawn by name alone bring these about (README.md).
bool Coverage::is_by_name_alone(std::string_view name) {
  constexpr std::string_view names[] = {"action_link_overrun", "action_load_borne",
                                        "action_turn_used_up", "action_turn_long"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::vector<std::string> Coverage::missing() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < size; ++i)
    if (applies(i) && numbers_[i] == 0 && !is_by_name_alone(name_at(i))) all.push_back(name_at(i));
  return all;
}

}  // namespace zatt::sim
