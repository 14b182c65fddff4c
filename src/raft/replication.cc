// SPDX-License-Identifier: AGPL-3.0-or-later
// The leader's side of the log: entries out, answers in, commit_index up (paper 5.3).
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "raft/commit.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace zatt::raft {

namespace {
constexpr std::uint64_t max_resend_us = 10'000'000;
}

void Raft::handle_propose(Propose& propose) {
  if (!leads(propose.term) || propose.proposals.empty()) return;
  output_.proposed = log_.last_index() + 1;
  for (Proposal& proposal : propose.proposals) append_own(proposal.kind, std::move(proposal.body));
  mark_end();
  // The followers get the entries while our own disk writes them (thesis 10.2.1).
  if (inject(FaultPoint::bare_quorum))
    send_to_bare_quorum();
  else
    send_to_all();
}

bool Raft::is_replication_target(const MemberId& server) const {
  if (server == options_.self) return false;
  if (configuration().find(server) != nullptr) return true;
  // A member's directory was wiped: it is sent the log, and counts for nothing.
  return connected_.contains(server) && configuration().find_id(server.id) != nullptr;
}

void Raft::add_progress(const MemberId& server) {
  auto& leader = std::get<Leader>(role_);
  if (leader.progress.contains(server)) return;
  Progress progress;
  progress.next_index = (configuration().votes(server) ? log_.last_index() : commit_index_) + 1;
  if (const auto peer = connected_.find(server); peer != connected_.end()) {
    progress.connected = true;
    progress.boot_id = peer->second;
  }
  progress.last_contact_us = now_us_;
  progress.resend_us = options_.election_timeout_us;
  leader.progress.emplace(server, std::move(progress));
}

void Raft::send_to_all() {
  for (auto& [server, progress] : std::get<Leader>(role_).progress) send_entries(server, progress);
}

void Raft::send_to_bare_quorum() {
  std::set<MemberId> chosen{options_.self};
  for (auto& [server, progress] : std::get<Leader>(role_).progress) {
    if (is_quorum(configuration(), [&](const MemberId& s) { return chosen.contains(s); })) return;
    if (!progress.connected) continue;
    chosen.insert(server);
    send_entries(server, progress);
  }
}

std::uint64_t Raft::append_bytes() {
  return inject(FaultPoint::one_entry_append) ? 1 : options_.max_append_bytes;
}

void Raft::send_entries(const MemberId& to, Progress& progress) {
  if (!progress.connected) return;
  // Who does not vote is sent only what is committed: nothing it holds is ever taken back.
  const Index limit = configuration().votes(to) ? log_.last_index() : commit_index_;

  if (progress.state == Progress::State::probe) {
    if (progress.probing) return;
    std::vector<EntryView> entries;
    if (progress.takes > 0 && progress.next_index <= limit && log_.in_memory(progress.next_index))
      entries = log_.slice(progress.next_index, limit, append_bytes());
    send_append(to, progress, std::move(entries));
    return;
  }
  while (progress.next_index <= limit && progress.fetch == 0 &&
         progress.may_send(options_.max_in_flight_bytes)) {
    if (!log_.in_memory(progress.next_index)) {
      progress.fetch = ++fetches_;
      // As much as may be on its way, so that the disk is never asked and waited for by turns.
      const std::uint64_t room = progress.room_in_flight(options_.max_in_flight_bytes);
      output_.fetches.push_back({progress.fetch, progress.next_index,
                                 std::min(limit, log_.first_in_memory() - 1),
                                 std::max(room, options_.max_append_bytes)});
      return;
    }
    send_append(to, progress, log_.slice(progress.next_index, limit, append_bytes()));
    if (inject(FaultPoint::small_window)) return;
  }
}

void Raft::send_append(const MemberId& to, Progress& progress, std::vector<EntryView> entries) {
  const Index prev = progress.next_index - 1;
  std::uint64_t bytes = 0;
  for (const EntryView& entry : entries) bytes += cost(entry.body.size());
  const Index last = entries.empty() ? prev : entries.back().index;
  send(to,
       AppendEntries{current_term(), prev, log_.term_at(prev), commit_index_, std::move(entries)});
  progress.sent(last, bytes, now_us_);
}

void Raft::handle_fetched(const Fetched& fetched) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  for (auto& [server, progress] : leader->progress) {
    if (progress.fetch != fetched.number) continue;
    if (fetched.is_last) progress.fetch = 0;
    if (progress.state != Progress::State::replicate || fetched.entries.empty()) return;
    if (fetched.entries.front().index != progress.next_index) return;
    ZATT_ASSERT(log_.holds(fetched.entries.back().index, fetched.entries.back().term));
    send_append(server, progress, fetched.entries);
    send_entries(server, progress);
    return;
  }
}

void Raft::handle_append_reply(const MemberId& from, const AppendReply& reply) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || reply.term != current_term()) {
    hit(CoveragePoint::reply_of_earlier_term_ignored);
    return;
  }
  const auto it = leader->progress.find(from);
  if (it == leader->progress.end()) return;
  Progress& progress = it->second;
  progress.last_contact_us = now_us_;
  progress.room = reply.room;
  progress.takes = reply.takes;
  if (progress.takes == 0) hit(CoveragePoint::follower_takes_no_more);
  if (reply.success) {
    if (progress.state == Progress::State::probe) progress.to_replicate(reply.received_index);
    update_progress(from, progress, reply.match_index, reply.received_index);
    return;
  }
  if (reply.rejected <= progress.match_index) return;  // overtaken by later answers
  if (progress.state == Progress::State::probe && reply.rejected != progress.next_index - 1) return;
  // Paper 5.3: back to where the logs may meet, a term at a time and not an entry at a time.
  hit(CoveragePoint::log_rewound);
  progress.rejected(log_.last_at_or_below(reply.hint_index, reply.hint_term) + 1);
  send_entries(from, progress);
}

void Raft::handle_heartbeat_reply(const MemberId& from, const HeartbeatReply& reply) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || reply.term != current_term()) return;
  const auto it = leader->progress.find(from);
  if (it == leader->progress.end()) return;
  Progress& progress = it->second;
  progress.last_contact_us = now_us_;
  progress.room = reply.room;
  progress.takes = reply.takes;
  progress.round = std::max(progress.round, reply.round);
  resend_lost(progress, reply.received_index);
  update_progress(from, progress, reply.match_index, reply.received_index);
  finish_round();
}

void Raft::update_progress(const MemberId& from, Progress& progress, Index match_index,
                           Index received_index) {
  ZATT_ASSERT(received_index <= log_.last_index() && match_index <= received_index);
  progress.received(received_index);
  progress.note_advance(match_index, received_index, now_us_);
  if (received_index > Index{0} && progress.state == Progress::State::probe)
    progress.to_replicate(received_index);
  // What has arrived and is not durable there opens the window and counts for nothing: nextIndex is
  // a guess, which AppendEntries checks (paper 5.3); only match_index is counted (figure 2).
  progress.next_index = std::max(progress.next_index, received_index + 1);
  if (match_index > progress.match_index) {
    progress.match_index = match_index;
    progress.resend_us = options_.election_timeout_us;
    advance_commit_index();
  }
  send_entries(from, progress);
}

void Raft::resend_lost(Progress& progress, Index received_index) {
  // A connection loses nothing before it ends, so this is for what lies between: patience grows
  // with the bytes under way and with each try, and what has arrived is not sent again because a
  // disk is slow.
  const bool probe_lost = progress.state == Progress::State::probe && progress.probing &&
                          now_us_ - progress.probe_sent_us > progress.resend_us;
  const bool entries_lost =
      !progress.in_flight.empty() && progress.in_flight.front().last > received_index &&
      now_us_ - progress.in_flight.front().sent_us > progress.resend_us + progress.in_flight_bytes;
  if (!probe_lost && !entries_lost) return;
  hit(CoveragePoint::entries_sent_again);
  progress.resend_us = std::min(2 * progress.resend_us, max_resend_us);
  progress.rejected(probe_lost ? progress.next_index : received_index + 1);
}

void Raft::send_heartbeats() {
  auto& leader = std::get<Leader>(role_);
  leader.heartbeat_at_us = now_us_ + options_.election_timeout_us / 5;
  for (auto& [server, progress] : leader.progress) {
    if (!progress.connected) continue;
    send(server, Heartbeat{current_term(), commit_index_, leader.reads.round(), log_.last_index()});
    send_entries(server, progress);
  }
}

Index Raft::match_of(const MemberId& server) const {
  if (server == options_.self) return durable_index();  // only once our own sync is done
  const auto& leader = std::get<Leader>(role_);
  const auto it = leader.progress.find(server);
  return it == leader.progress.end() ? Index{0} : it->second.match_index;
}

void Raft::advance_commit_index() {
  const Index stored =
      quorum_index(configuration(), [this](const MemberId& server) { return match_of(server); });
  const Index before = commit_index_;
  commit_index_ = advance_commit(commit_index_, current_term(), log_, stored);
  if (commit_index_ == before) return;
  const Index noop = std::get<Leader>(role_).noop_index;
  if (before < noop) hit(CoveragePoint::noop_committed);
  if (before + 1 < noop) hit(CoveragePoint::older_entries_committed);
  for (auto& [server, progress] : std::get<Leader>(role_).progress)
    if (!configuration().votes(server)) send_entries(server, progress);
}

// As far as this leader has heard: of who is not there, nothing.
DiskSpace Raft::room_of(const MemberId& server) const {
  if (server == options_.self) return room_;
  const auto& leader = std::get<Leader>(role_);
  const auto it = leader.progress.find(server);
  return it == leader.progress.end() ? DiskSpace::full : it->second.room;
}

// A quorum without us, of those who can be asked to lead.
bool Raft::others_have_room() const {
  return is_quorum(configuration(), [&](const MemberId& server) {
    return server != options_.self && is_connected(server) && room_of(server) == DiskSpace::enough;
  });
}

DiskSpace Raft::room() const {
  if (!is_leader()) return room_;
  for (const DiskSpace room : {DiskSpace::enough, DiskSpace::low})
    if (room >= room_ &&
        is_quorum(configuration(), [&](const MemberId& server) { return room_of(server) <= room; }))
      return room;
  return DiskSpace::full;
}

}  // namespace zatt::raft
