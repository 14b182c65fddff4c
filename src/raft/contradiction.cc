// SPDX-License-Identifier: AGPL-3.0-or-later
// What no server says that keeps to the protocol: heard of before it reaches what rests on it.
//
// The core asserts what the protocol promises, for a broken promise of its own is a bug. A peer's
// words are not its own: one that is damaged, another version or an impostor ends no process.
#include "base/overloaded.h"
#include "raft/raft.h"

namespace zatt::raft {

std::string_view Raft::contradiction_in_claim(const MemberId& from, Term term) const {
  if (term == Term{0}) return "leads in a term that has no leader";
  if (term != current_term()) return {};
  if (is_leader()) return "leads in the term that this node leads in";
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower != nullptr && follower->leader && *follower->leader != from)
    return "leads in a term that has another leader";
  return {};
}

std::string_view Raft::contradiction_in_entries(const AppendEntries& append) const {
  if (append.term < current_term() || !log_.holds(append.prev_log_index, append.prev_log_term))
    return {};
  for (const EntryView& entry : append.entries) {
    if (entry.index > commit_index_) break;
    if (!log_.holds(entry.index, entry.term)) return "has another entry for one that is committed";
  }
  return {};
}

std::string_view Raft::contradiction_in_progress(Term term, Index match_index,
                                                 Index received_index) const {
  if (!leads(term)) return {};
  if (received_index > log_.last_index()) return "has received entries that this leader has not";
  return match_index > received_index ? "has stored entries that it has not received" : "";
}

std::string_view Raft::contradiction_in_vote(const VoteReply& reply) const {
  if (!reply.granted) return {};
  if (reply.term == Term{0}) return "votes in a term that nobody asks for";
  const auto* candidate = std::get_if<Candidate>(&role_);
  const bool asked = candidate == nullptr || candidate->own_vote_write == WriteNumber{};
  return !reply.pre_vote && reply.term == current_term() && !asked
             ? "gives a vote that it has not been asked for"
             : "";
}

std::string_view Raft::contradiction(const MemberId& from, const Message& message) const {
  return std::visit(
      Overloaded{
          [&](const RequestVote& m) -> std::string_view {
            return m.term == Term{0} ? "asks for votes in a term that has no leader" : "";
          },
          [&](const VoteReply& m) { return contradiction_in_vote(m); },
          [&](const AppendEntries& m) {
            const std::string_view claim = contradiction_in_claim(from, m.term);
            return claim.empty() ? contradiction_in_entries(m) : claim;
          },
          [&](const AppendReply& m) -> std::string_view {
            return m.success ? contradiction_in_progress(m.term, m.match_index, m.received_index)
                             : "";
          },
          [&](const Heartbeat& m) { return contradiction_in_claim(from, m.term); },
          [&](const HeartbeatReply& m) -> std::string_view {
            const auto* leader = std::get_if<Leader>(&role_);
            if (leads(m.term) && m.round > leader->reads.round())
              return "answers what it has not been asked";
            return contradiction_in_progress(m.term, m.match_index, m.received_index);
          },
          [&](const TimeoutNow& m) { return contradiction_in_claim(from, m.term); },
      },
      message);
}

}  // namespace zatt::raft
