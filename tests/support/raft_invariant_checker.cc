// SPDX-License-Identifier: AGPL-3.0-or-later
// What must hold in a RaftCluster between and across steps: the paper's figure 3, and that nothing
// is said before a disk has kept it. By code of its own: it asks raft/ for no majority.
#include <algorithm>

#include "tests/support/raft_cluster.h"

namespace zatt::test {
namespace {

bool is_majority(std::size_t yes, std::size_t of) { return 2 * yes > of; }

std::string text(Index index) { return std::to_string(raw(index)); }
std::string text(Term term) { return std::to_string(raw(term)); }

}  // namespace

void RaftCluster::report_error(const Seat& s, const std::string& what) {
  violations_.push_back(s.self.id + ": " + what);
}

void RaftCluster::check_said(const Seat& s, const raft::Envelope& envelope) {
  const raft::Message& message = envelope.message;
  const std::string name = name_of(kind_of(message));
  const raft::HardState& durable = s.disk.hard_state;
  const auto* request = std::get_if<raft::RequestVote>(&message);
  const auto* vote = std::get_if<raft::VoteReply>(&message);
  const bool hypothetical = (request != nullptr && request->pre_vote) ||
                            (vote != nullptr && vote->pre_vote && vote->granted);
  if (!hypothetical && term_of(message) > durable.current_term)
    report_error(s, name + " of term " + text(term_of(message)) + " before that term is durable");

  const auto promised = [&](Term term, const MemberId& to) {
    return durable.current_term == term && durable.voted_for == to;
  };
  if (request != nullptr && !request->pre_vote && !promised(request->term, s.self))
    report_error(s, "asks for votes before its own is durable");
  if (vote != nullptr && !vote->pre_vote && vote->granted && !promised(vote->term, envelope.to))
    report_error(s, "says its vote before it is durable");

  std::optional<Index> match;
  if (const auto* r = std::get_if<raft::AppendReply>(&message); r != nullptr && r->success)
    match = r->match_index;
  if (const auto* r = std::get_if<raft::HeartbeatReply>(&message)) match = r->match_index;
  if (match &&
      (*match > s.raft->log().last_index() || !s.disk.holds(*match, s.raft->log().term_at(*match))))
    report_error(s, name + " says " + text(*match) + " is stored before it is durable");
}

void RaftCluster::check_step(const std::string& id, Seat& s) {
  const raft::Raft& raft = at(id);
  if (raft.current_term() < s.highest_term) report_error(s, "current_term sinks");
  s.highest_term = raft.current_term();
  if (raft.commit_index() < s.applied) report_error(s, "commit_index sinks");
  if (raft.commit_index() > raft.log().last_index()) report_error(s, "commit_index beyond its log");
  if (const auto* leader = std::get_if<raft::Leader>(&raft.role())) {
    check_leader(s);
    for (const auto& [server, progress] : leader->progress)
      if (progress.next_index <= progress.match_index)
        report_error(s, "next_index of " + server.id + " not above its match_index");
  }
  if (raft.commit_index() > s.applied) check_commit(s);
}

void RaftCluster::check_leader(const Seat& s) {
  const auto [it, is_new] = leaders_.emplace(s.raft->current_term(), s.self);
  if (it->second != s.self)
    report_error(s, "leads term " + text(s.raft->current_term()) + " beside " + it->second.id);
  if (!is_new) return;
  for (const auto& [index, committed] : committed_)
    if (!s.raft->log().holds(index, committed.term))
      report_error(s, "leads without the committed entry " + text(index));
}

void RaftCluster::check_commit(const Seat& s) {
  const raft::Log& log = s.raft->log();
  for (Index index = s.applied + 1; index <= s.raft->commit_index(); ++index) {
    const Term term = log.term_at(index);
    const std::vector<Entry> written = s.disk.written();
    const Entry& entry = written[raw(index) - 1];
    const auto [it, is_new] = committed_.emplace(index, Committed{term, entry.time_us, entry.body});
    if (it->second != Committed{term, entry.time_us, entry.body})
      report_error(s, "commits another entry " + text(index));
    if (!is_new) continue;
    std::size_t incoming = 0, outgoing = 0, incoming_keep = 0, outgoing_keep = 0;
    for (const raft::Member& member : s.raft->configuration().members) {
      const Seat& other = seat(member.server.id);
      const bool keeps = other.self == member.server && other.disk.holds(index, term);
      incoming += member.voter ? 1 : 0;
      outgoing += member.outgoing ? 1 : 0;
      incoming_keep += member.voter && keeps ? 1 : 0;
      outgoing_keep += member.outgoing && keeps ? 1 : 0;
    }
    if (!is_majority(incoming_keep, incoming) ||
        (outgoing > 0 && !is_majority(outgoing_keep, outgoing)))
      report_error(s, "commits " + text(index) + " that no majority's disks keep");
  }
  if (s.raft->is_leader() && log.term_at(s.raft->commit_index()) != s.raft->current_term())
    report_error(s, "commits an older term's entry by counting");
}

// Log matching: what agrees in one place agrees in all before. And times never go back.
void RaftCluster::check_logs() {
  for (auto a = seats_.begin(); a != seats_.end(); ++a) {
    const std::vector<Entry> log = a->second.disk.written();
    if (!std::is_sorted(log.begin(), log.end(),
                        [](const Entry& x, const Entry& y) { return x.time_us < y.time_us; }))
      report_error(a->second, "the times of its log go back");
    for (auto b = std::next(a); b != seats_.end(); ++b) {
      const std::vector<Entry>& left = log;
      const std::vector<Entry> right = b->second.disk.written();
      bool agreed = false;
      for (std::size_t i = std::min(left.size(), right.size()); i-- > 0;) {
        const bool same = left[i].term == right[i].term;
        if ((agreed && !same) || (same && left[i] != right[i])) {
          report_error(a->second,
                       "its log does not match that of " + b->first + " at " + text(Index{i + 1}));
          break;
        }
        agreed = agreed || same;
      }
    }
  }
}

std::vector<std::string> RaftCluster::violations() {
  check_logs();
  std::vector<std::string> all;
  all.swap(violations_);
  return all;
}

}  // namespace zatt::test
