// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/invariants.h"

#include "base/overloaded.h"
#include "raft/raft.h"

namespace zatt::raft {
namespace {

const char* broken_by_write(const CoreState& before, const CoreState& now, const Output& output) {
  const bool writes = output.hard_state || output.truncate || !output.append.empty();
  if (writes != (output.write != WriteNumber{})) return "a write has a number, and only a write";
  if (output.truncate && *output.truncate < before.commit_index)
    return "nothing committed is truncated";
  if (output.append.empty()) return nullptr;
  Index index = output.append.front().index;
  Term term = output.append.front().term;
  for (const EntryView& entry : output.append) {
    if (entry.index != index) return "entries are appended without a gap";
    if (entry.term < term) return "terms do not sink along the log";
    ++index;
    term = entry.term;
  }
  if (index != now.last_index + 1 || term != now.last_term)
    return "what is appended is written to the log's end";
  return nullptr;
}

// A pre-vote speaks of a term that nobody is in yet.
bool is_hypothetical(const Message& message) {
  const auto* request = std::get_if<RequestVote>(&message);
  const auto* reply = std::get_if<VoteReply>(&message);
  return (request != nullptr && request->pre_vote) ||
         (reply != nullptr && reply->pre_vote && reply->granted);
}

const char* broken_by_message(const CoreState& before, const CoreState& now,
                              const Envelope& envelope) {
  const Message& message = envelope.message;
  if (is_hypothetical(message)) return nullptr;
  if (term_of(message) > now.current_term) return "nobody speaks in a term that it is not in";
  if (term_of(message) < now.current_term) return nullptr;  // it has been left in this very step
  if (now.current_term > before.current_term) return "a term is spoken in once it is durable";
  const auto is_stored = [&](Index match_index) { return match_index <= now.durable_index; };
  const bool holds = std::visit(
      Overloaded{
          [&](const RequestVote&) { return *now.voted_for == *now.self; },
          [&](const VoteReply& m) { return !m.granted || *before.voted_for == envelope.to; },
          [&](const AppendReply& m) { return !m.success || is_stored(m.match_index); },
          [&](const HeartbeatReply& m) { return is_stored(m.match_index); },
          [](const auto&) { return true; },
      },
      message);
  return holds ? nullptr : "what is said rests on what is durable: votes, and entries stored";
}

}  // namespace

CoreState core_state(const Raft& raft) {
  return {&raft.self(),         raft.current_term(),     &raft.voted_for(),
          raft.is_leader(),     raft.applied_index(),    raft.commit_index(),
          raft.durable_index(), raft.log().last_index(), raft.log().last_term()};
}

const char* broken_by_step(const CoreState& before, const CoreState& now) {
  if (now.current_term < before.current_term) return "current_term never sinks";
  const bool is_same_term = now.current_term == before.current_term;
  if (is_same_term && *before.voted_for && *now.voted_for != *before.voted_for)
    return "a vote is given once a term";
  if (now.commit_index < before.commit_index) return "commit_index never sinks";
  if (now.commit_index > now.last_index) return "commit_index is in the log";
  if (now.applied_index > now.commit_index) return "nothing is applied before it is committed";
  if (now.durable_index > now.last_index) return "durable_index is in the log";
  if (now.last_term > now.current_term) return "no entry is of a later term than current_term";
  if (is_same_term && before.is_leader && now.is_leader && now.last_index < before.last_index)
    return "a leader only appends to its log";
  return nullptr;
}

const char* broken_by_output(const CoreState& before, const CoreState& now, const Output& output) {
  if (const char* broken = broken_by_write(before, now, output)) return broken;
  for (const Envelope& envelope : output.messages)
    if (const char* broken = broken_by_message(before, now, envelope)) return broken;
  return nullptr;
}

const char* broken_by_progress(const CoreState& now, const Leader& leader) {
  for (const auto& [server, progress] : leader.progress) {
    if (server == *now.self) return "a leader is no follower of its own";
    if (progress.next_index <= progress.match_index) return "next_index is above match_index";
    if (progress.match_index > now.last_index) return "a follower's match_index is in the log";
  }
  return nullptr;
}

}  // namespace zatt::raft
