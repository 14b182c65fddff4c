// SPDX-License-Identifier: AGPL-3.0-or-later
// Who leads: votes asked for, granted and counted (paper 5.2, 5.4.1; thesis 4.2.3, 6.2, 9.6).
#include <utility>

#include "base/assert.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace zatt::raft {

void Raft::draw_election_deadline() {
  const std::uint64_t timeout = options_.election_timeout_us;
  election_at_us_ = now_us_ + prng_.between(timeout, 2 * timeout);
}

void Raft::on_election_timeout() {
  draw_election_deadline();
  if (std::holds_alternative<Candidate>(role_)) hit(CoveragePoint::election_split);
  // Who can't store can't lead; who lost what it promised must first get it back.
  const bool stuck = disk_is_stuck(options_.election_timeout_us);
  if (stuck || is_below_floor()) {
    hit(stuck ? CoveragePoint::hung_disk_started_no_election
              : CoveragePoint::floor_started_no_election);
    become_follower(current_term(), std::nullopt);
    return;
  }
  start_pre_vote();
}

void Raft::start_pre_vote() {
  role_ = PreCandidate{};
  std::get<PreCandidate>(role_).votes.insert(options_.self);
  const RequestVote request{current_term() + 1, log_.last_index(), log_.last_term(), true};
  for (const Member& member : configuration().members)
    if (member.server != options_.self && configuration().votes(member.server))
      send(member.server, request);
  count_votes();
}

void Raft::start_election() {
  save_term(current_term() + 1, options_.self);
  role_ = Candidate{{}, output_.write};
  draw_election_deadline();
  // Our own vote is a promise too: nobody hears of it before it is durable.
  const RequestVote request{current_term(), log_.last_index(), log_.last_term(), false};
  for (const Member& member : configuration().members)
    if (member.server != options_.self && configuration().votes(member.server))
      send(member.server, request, output_.write);
}

bool Raft::heard_from_leader() const {
  if (is_leader()) return true;
  const auto* follower = std::get_if<Follower>(&role_);
  return follower != nullptr && follower->leader && follower->last_contact_us != never_us &&
         now_us_ - follower->last_contact_us < options_.election_timeout_us;
}

bool Raft::is_up_to_date(Index last_log_index, Term last_log_term) const {
  const std::pair last(last_log_term, last_log_index);  // paper 5.4.1: the term first
  return last >= std::pair(log_.last_term(), log_.last_index()) &&
         is_above_floor(last_log_index, last_log_term);
}

bool Raft::is_above_floor(Index last_log_index, Term last_log_term) const {
  // What was promised since it was opened is known where it is lost, too.
  const auto& open_term = hard_state_.floor.open_term;
  if (open_term && last_log_term <= *open_term) return false;
  return !is_below_floor() || std::pair(last_log_term, last_log_index) >=
                                  std::pair(hard_state_.floor.term, hard_state_.floor.index);
}

void Raft::handle_request_vote(const MemberId& from, const RequestVote& request) {
  const bool up_to_date = is_up_to_date(request.last_log_index, request.last_log_term);
  if (request.pre_vote) {  // changes nothing here, whatever the answer
    const bool granted = request.term > current_term() && !heard_from_leader() && up_to_date;
    if (heard_from_leader()) hit(CoveragePoint::pre_vote_refused_leader_heard);
    if (!up_to_date) hit(CoveragePoint::pre_vote_refused_log_behind);
    send(from, VoteReply{granted ? request.term : current_term(), granted, true});
    return;
  }
  const bool free = !voted_for() || *voted_for() == from;
  const bool granted = request.term == current_term() && free && up_to_date && !is_leader();
  if (request.term < current_term())
    hit(CoveragePoint::vote_refused_old_term);
  else if (!free)
    hit(CoveragePoint::vote_refused_given_away);
  else if (!up_to_date)
    hit(is_below_floor() ? CoveragePoint::vote_refused_below_floor
                         : CoveragePoint::vote_refused_log_behind);
  if (granted) {
    if (!voted_for()) save_term(current_term(), from);
    draw_election_deadline();
  }
  send(from, VoteReply{current_term(), granted, false});  // waits for term and vote to be durable
}

void Raft::handle_vote_reply(const MemberId& from, const VoteReply& reply) {
  if (!reply.granted) return;  // a higher term in it has been adopted already
  auto* pre_candidate = std::get_if<PreCandidate>(&role_);
  auto* candidate = std::get_if<Candidate>(&role_);
  if (reply.pre_vote && pre_candidate != nullptr && reply.term == current_term() + 1)
    pre_candidate->votes.insert(from);
  else if (!reply.pre_vote && candidate != nullptr && reply.term == current_term())
    candidate->votes.insert(from);
  else
    return;
  count_votes();
}

void Raft::count_votes() {
  // By value: what follows replaces the role that holds them.
  if (const auto* pre_candidate = std::get_if<PreCandidate>(&role_)) {
    const std::set<MemberId> votes = pre_candidate->votes;
    if (is_quorum(configuration(), [&](const MemberId& s) { return votes.contains(s); }))
      start_election();
  } else if (const auto* candidate = std::get_if<Candidate>(&role_)) {
    const std::set<MemberId> votes = candidate->votes;
    if (is_quorum(configuration(), [&](const MemberId& s) { return votes.contains(s); }))
      become_leader();
  }
}

void Raft::become_leader() {
  hit(CoveragePoint::election_won);
  Leader leader;
  leader.check_quorum_at_us = now_us_ + options_.election_timeout_us;
  leader.full_since_us = now_us_;
  role_ = std::move(leader);
  for (const Member& member : configuration().members)
    if (member.server != options_.self) add_progress(member.server);
  for (const auto& [server, boot_id] : connected_)
    if (is_replication_target(server)) add_progress(server);
  // Thesis 6.4: until an entry of this term is committed, nothing below is known to be.
  append_own(EntryKind::noop, {});
  std::get<Leader>(role_).noop_index = log_.last_index();
  send_to_all();
  send_heartbeats();
}

void Raft::handle_timeout_now(const TimeoutNow& request) {
  // Thesis 3.10: the leader itself asks, so nobody has to be asked whether it is alive.
  if (request.term != current_term() || is_leader() || !votes()) return;
  if (disk_is_stuck(options_.election_timeout_us) || is_below_floor()) return;
  start_election();
}

void Raft::check_quorum() {
  auto& leader = std::get<Leader>(role_);
  leader.check_quorum_at_us = now_us_ + options_.election_timeout_us;
  const bool heard = is_quorum(configuration(), [&](const MemberId& server) {
    if (server == options_.self) return true;
    const auto it = leader.progress.find(server);
    return it != leader.progress.end() &&
           now_us_ - it->second.last_contact_us <= options_.election_timeout_us;
  });
  if (heard) return;
  hit(CoveragePoint::quorum_lost);
  become_follower(current_term(), std::nullopt);  // thesis 6.2
}

void Raft::transfer_leadership() {
  const auto& leader = std::get<Leader>(role_);
  const MemberId* heir = nullptr;
  std::pair<bool, Index> best;  // has room and all that is committed; then, how long its log is
  for (const auto& [server, progress] : leader.progress) {
    if (!progress.connected || !configuration().votes(server)) continue;
    const Index match = progress.match_index;
    const std::pair rank(progress.room == DiskSpace::enough && match >= commit_index_, match);
    if (heir != nullptr && rank <= best) continue;
    heir = &server;
    best = rank;
  }
  if (heir != nullptr) send(*heir, TimeoutNow{current_term()});
  become_follower(current_term(), std::nullopt);
}

void Raft::handle_transfer_leadership(const TransferLeadership& transfer) {
  if (leads(transfer.term) && configuration().members.size() > 1) transfer_leadership();
}

}  // namespace zatt::raft
