// SPDX-License-Identifier: AGPL-3.0-or-later
// The follower's side of the log: the leader's entries in, promises out (paper 5.3, figure 2).
#include <algorithm>

#include "base/assert.h"
#include "raft/raft.h"

namespace zatt::raft {

namespace {

constexpr std::uint64_t max_undurable_bytes = 8 << 20;

}  // namespace

void Raft::accept_leader(const MemberId& from) {
  ZATT_ASSERT(!is_leader());  // election safety: one leader a term
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr) {
    if (std::holds_alternative<Candidate>(role_)) hit(CoveragePoint::election_lost);
    become_follower(current_term(), from);
  } else {
    ZATT_ASSERT(!follower->leader || *follower->leader == from);
    follower->leader = from;
    follower->last_contact_us = now_us_;
  }
  draw_election_deadline();
}

void Raft::handle_append_entries(const MemberId& from, const AppendEntries& append) {
  if (append.term < current_term()) {  // rule 1: an old leader, which hears of our term
    hit(CoveragePoint::old_leader_corrected);
    AppendReply reply;
    reply.term = current_term();
    reply.rejected = append.prev_log_index;
    send(from, reply);
    return;
  }
  accept_leader(from);
  if (!log_.holds(append.prev_log_index, append.prev_log_term)) {  // rule 2
    refuse_append(from, append);
    return;
  }
  const Index last = append.prev_log_index + append.entries.size();
  append_from_leader(append);
  verified_index_ = std::max(verified_index_.value_or(Index{0}), last);
  commit_to(append.leader_commit);
  // The promise waits for the disk: Persisted sends it. Where nothing is to be waited for, now. That
  // much has arrived is said at once: it promises nothing, since match_index is what is durable, and
  // a later leader may take it back as it may anything that no quorum stores (paper 5.3, figure 2).
  const bool is_much = has_arrived(append);
  if (is_much) hit(CoveragePoint::arrival_answered);
  if (last <= durable_index() || is_much) send_append_reply();
}

// Little is answered with the sync that it waits for: the window is far from closed by then.
bool Raft::has_arrived(const AppendEntries& append) {
  auto& follower = std::get<Follower>(role_);
  for (const EntryView& entry : append.entries)
    follower.unanswered_bytes += cost(entry.body.size());
  return follower.unanswered_bytes >= options_.max_append_bytes / 4;
}

// So that what has arrived and is not durable is bounded, by what the disk keeps in a second: more
// would only be older when it is. At least one AppendEntries, or a slow disk would get slower.
std::uint64_t Raft::takes() const {
  const std::uint64_t shown = writes_.disk_rate().bytes_per_s();
  const std::uint64_t most =
      shown == 0 ? options_.max_in_flight_bytes
                 : std::clamp(shown, std::min(options_.max_append_bytes, max_undurable_bytes),
                              max_undurable_bytes);
  return most - std::min(most, writes_.undurable_bytes());
}

void Raft::append_from_leader(const AppendEntries& append) {
  for (const EntryView& entry : append.entries) {
    if (log_.holds(entry.index, entry.term)) continue;  // a late or repeated message cuts nothing
    if (entry.index <= log_.last_index()) truncate_log(entry.index - 1);           // rule 3
    append_entry(entry.term, entry.time_us, entry.kind, std::string(entry.body));  // rule 4
  }
}

void Raft::refuse_append(const MemberId& from, const AppendEntries& append) {
  hit(CoveragePoint::append_refused);
  AppendReply reply;
  reply.term = current_term();
  reply.rejected = append.prev_log_index;
  reply.hint_index = log_.last_at_or_below(append.prev_log_index, append.prev_log_term);
  reply.hint_term = log_.term_at(reply.hint_index);
  reply.room = room_;
  reply.takes = takes();
  send(from, reply);
}

void Raft::send_append_reply() {
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || !follower->leader || !verified_index_) return;
  follower->unanswered_bytes = 0;
  AppendReply reply;
  reply.term = current_term();
  reply.success = true;
  reply.received_index = *verified_index_;
  reply.match_index = std::min(reply.received_index, durable_index());
  reply.room = room_;
  reply.takes = takes();
  send(*follower->leader, reply);
}

void Raft::handle_heartbeat(const MemberId& from, const Heartbeat& heartbeat) {
  HeartbeatReply reply;
  reply.term = current_term();
  if (heartbeat.term == current_term()) {
    accept_leader(from);
    commit_to(heartbeat.leader_commit);
    if (!floor_end_) floor_end_ = heartbeat.last_index;
    settle_floor();
    reply.round = heartbeat.round;
    reply.received_index = verified_index_.value_or(Index{0});
    reply.match_index = std::min(reply.received_index, durable_index());
    reply.room = room_;
    reply.takes = takes();
  }
  send(from, reply);  // waits for our term at most, never for entries
}

// What was promised before the damage is in the log again, durably. That this is so is kept, too:
// else the next start would begin below the floor once more.
void Raft::settle_floor() {
  if (!hard_state_.floor.is_set()) return;
  if (hard_state_.floor.open_term) {
    const Index reached = std::min(verified_index_.value_or(Index{0}), durable_index());
    if (!std::holds_alternative<Follower>(role_) || !floor_end_ || reached < *floor_end_) return;
  } else if (is_below_floor()) {
    return;
  }
  hit(hard_state_.floor.open_term ? CoveragePoint::open_floor_reached
                                  : CoveragePoint::floor_reached);
  hard_state_.floor = Floor{};
  begin_write();
  output_.hard_state = hard_state_;
}

void Raft::handle_leader_commit(const LeaderCommit& hint) {
  if (hint.term == current_term() && std::holds_alternative<Follower>(role_))
    commit_to(hint.leader_commit);
}

void Raft::commit_to(Index leader_commit) {
  // Rule 5, "index of last new entry": beyond what this leader has verified, our log may differ.
  commit_index_ =
      std::max(commit_index_, std::min(leader_commit, verified_index_.value_or(Index{0})));
}

}  // namespace zatt::raft
