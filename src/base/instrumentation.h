// SPDX-License-Identifier: AGPL-3.0-or-later
// Where a simulation looks in, and where it may ask for a turn that is legal and rare.
//
// Null in production. What a node does follows from the answers as from any other input, so a seed
// still replays.
#pragma once

#include <cstdint>

namespace zatt {

// What happens seldom, and is counted, so that a run can say what it has never seen.
enum class CoveragePoint : std::uint8_t {
  // raft/
  election_won,
  election_lost,   // another leads, or a higher term was heard of, while votes were asked for
  election_split,  // nobody won in time
  pre_vote_refused_leader_heard,
  pre_vote_refused_log_behind,
  vote_refused_old_term,
  vote_refused_given_away,
  vote_refused_log_behind,
  vote_refused_below_floor,
  quorum_lost,
  append_refused,
  log_rewound,
  suffix_truncated,
  noop_committed,
  older_entries_committed,  // of an earlier term, by one of this
  entries_sent_again,
  reply_of_earlier_term_ignored,
  old_leader_corrected,
  arrival_answered,        // before it was durable
  follower_takes_no_more,  // until its disk has kept some of it
  hung_disk_transferred,
  full_disk_transferred,
  hung_disk_started_no_election,
  floor_started_no_election,
  floor_reached,
  open_floor_reached,
  reads_failed_at_step_down,
  read_bounded_by_noop,
  // storage/
  torn_tail_truncated,
  damage_found,
  unproven_entries_copied,
  bad_slot_found,
  bad_header_found,
  rolled_over,
  truncated_over_a_roll_over,
  segment_file_reused,
  disk_full,
  log_waited_for_room,
  read_met_a_cut,
  disk_has_room,
  log_end_noted,
  // node/
  entries_read_back,   // from disk, for a follower far behind or for applying
  late_hello_refused,  // of a connection that a newer one of that process has overtaken
  frame_to_another_boot,
  frame_from_another_boot,
  old_incarnation_refused,
  offer_given_up,
  offer_overtaken,           // by one that was on its way into a directory when it was made
  offer_void,                // somebody whom it names lives elsewhere
  truncation_of_offer_lost,  // a crash has kept the new offer, and what the old one had founded
  living_cluster_entered,
  bootstrapped_by_a_message,  // from somebody who has a term
  bootstrap_stuck,
  entries_not_taken,
  forward_not_taken,
  forward_lost,
  forward_replaced,
  write_waited,          // for its turn
  forward_applied_here,  // before its leader's answer came, or in its place
  proposal_replaced,
  outcome_unknown,
  read_asked_again,
  reply_held_back,
  reply_waits_for_room,
  reply_without_room,
  responses_left_for_next_turn,
  apply_left_for_next_turn,
  proposals_waited_for_a_voter,
  client_paused,
  disk_failed,
  count
};

enum class FaultPoint : std::uint8_t {
  one_entry_append,  // an AppendEntries carries one entry
  bare_quorum,       // new entries go to no more followers than a quorum needs, until a heartbeat
  stop_leading,
  split_batch,   // one entry a write
  roll_over,     // a new segment, though there is room
  delay_apply,   // what is committed is applied a little later
  give_up_soon,  // a request that was handed on has no time left
  small_window,  // one AppendEntries under way
  overload,      // too many writes wait already
  pause_client,  // as if it had asked too much at once
  small_buffer,  // what is sent to clients is long unread: of a process, by its world
  count
};

class Instrumentation {
 public:
  Instrumentation() = default;
  Instrumentation(const Instrumentation&) = delete;
  Instrumentation& operator=(const Instrumentation&) = delete;
  virtual ~Instrumentation() = default;

  virtual void hit(CoveragePoint point) = 0;
  virtual bool inject(FaultPoint point) = 0;
};

inline void hit(Instrumentation* instrumentation, CoveragePoint point) {
  if (instrumentation != nullptr) instrumentation->hit(point);
}
inline bool inject(Instrumentation* instrumentation, FaultPoint point) {
  return instrumentation != nullptr && instrumentation->inject(point);
}

}  // namespace zatt
