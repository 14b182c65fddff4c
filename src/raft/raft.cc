// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/raft.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "base/overloaded.h"

namespace zatt::raft {

Raft::Raft(const Options& options) : options_(options), prng_(options.seed) {}

void Raft::restore(const MemberId& self, const HardState& hard_state) {
  options_.self = self;
  hard_state_ = hard_state;
}

void Raft::restore(const EntryView& entry) {
  ZATT_ASSERT(entry.index == log_.last_index() + 1);
  log_.append(entry.term, entry.time_us, entry.kind, std::string(entry.body));
  configurations_.append(entry);
  writes_.restore(log_.last_index());
  log_.forget(log_.last_index(), options_.max_log_bytes);
}

const Output& Raft::step(Input&& input) {
  ZATT_ASSERT(input.now_us >= now_us_);
  if (now_us_ == 0) {  // the first step: the deadline drawn before knew no time
    now_us_ = input.now_us;
    draw_election_deadline();
  }
  now_us_ = input.now_us;
  wall_us_ = input.wall_us;
  CoreState before = core_state(*this);
  vote_before_ = voted_for();
  before.voted_for = &vote_before_;
  output_.clear();
  dispatch(input);
  if (output_.write != WriteNumber{}) writes_.submit(log_.last_index(), now_us_);
  check_invariants(before);
  return output_;
}

void Raft::dispatch(Input& input) {
  std::visit(Overloaded{
                 [&](const Tick&) { handle_tick(); },
                 [&](const Received& e) { handle_received(e); },
                 [&](const PeerUp& e) { handle_peer_up(e); },
                 [&](const PeerDown& e) { handle_peer_down(e); },
                 [&](Propose& e) { handle_propose(e); },
                 [&](const Persisted& e) { handle_persisted(e); },
                 [&](const Fetched& e) { handle_fetched(e); },
                 [&](const ReadRequests& e) { handle_read_requests(e); },
                 [&](const Applied& e) { handle_applied(e); },
                 [&](const Bootstrap& e) { handle_bootstrap(e); },
                 [&](const AbandonBootstrap&) { handle_abandon_bootstrap(); },
                 [&](const TransferLeadership& e) { handle_transfer_leadership(e); },
                 [&](const LeaderCommit& e) { handle_leader_commit(e); },
                 [&](const DiskSpaceChanged& e) { handle_disk_space_changed(e); },
             },
             input.event);
}

void Raft::dispatch(const MemberId& from, const Message& message) {
  std::visit(Overloaded{
                 [&](const RequestVote& m) { handle_request_vote(from, m); },
                 [&](const VoteReply& m) { handle_vote_reply(from, m); },
                 [&](const AppendEntries& m) { handle_append_entries(from, m); },
                 [&](const AppendReply& m) { handle_append_reply(from, m); },
                 [&](const Heartbeat& m) { handle_heartbeat(from, m); },
                 [&](const HeartbeatReply& m) { handle_heartbeat_reply(from, m); },
                 [&](const TimeoutNow& m) { handle_timeout_now(m); },
             },
             message);
}

std::uint64_t Raft::wake_at_us() const {
  if (const auto* leader = std::get_if<Leader>(&role_))
    return std::min(leader->heartbeat_at_us, leader->check_quorum_at_us);
  return votes() ? election_at_us_ : never_us;
}

const std::optional<MemberId>& Raft::leader() const {
  static const std::optional<MemberId> nobody;
  if (is_leader()) return voted_for();  // it won by its own vote, too
  const auto* follower = std::get_if<Follower>(&role_);
  return follower == nullptr ? nobody : follower->leader;
}

bool Raft::is_below_floor() const {
  if (hard_state_.floor.open_term) return true;
  const Term term = log_.term_at(durable_index());
  return term < hard_state_.floor.term ||
         (term == hard_state_.floor.term && durable_index() < hard_state_.floor.index);
}

void Raft::check_invariants(const CoreState& before) const {
  const CoreState now = core_state(*this);
  const char* broken = broken_by_step(before, now);
  if (broken == nullptr && options_.check_output) {
    broken = broken_by_output(before, now, output_);
    if (const auto* leader = std::get_if<Leader>(&role_); broken == nullptr && leader != nullptr)
      broken = broken_by_progress(now, *leader);
  }
  if (broken != nullptr) assertion_failed(broken, __FILE__, __LINE__);
}

// --- events ------------------------------------------------------------------------------------

void Raft::handle_tick() {
  if (auto* leader = std::get_if<Leader>(&role_)) {
    if (now_us_ >= leader->check_quorum_at_us) check_quorum();
    if (is_leader()) transfer_if_disk_unusable();
    if (is_leader() && inject(FaultPoint::stop_leading)) transfer_leadership();
    if (is_leader() && now_us_ >= leader->heartbeat_at_us) send_heartbeats();
    return;
  }
  if (votes() && now_us_ >= election_at_us_) on_election_timeout();
}

// A leader whose own disk has stopped answering, or has no room where a quorum of the others has
// it, does not keep its cluster hostage.
void Raft::transfer_if_disk_unusable() {
  const std::uint64_t patience_us =
      std::max<std::uint64_t>(5 * options_.election_timeout_us, 3'000'000);
  const bool stuck = disk_is_stuck(patience_us);
  const std::uint64_t full_since_us = std::get<Leader>(role_).full_since_us;
  const bool full =
      room_ != DiskSpace::enough && now_us_ - full_since_us > patience_us && others_have_room();
  if (!stuck && !full) return;
  hit(stuck ? CoveragePoint::hung_disk_transferred : CoveragePoint::full_disk_transferred);
  transfer_leadership();
}

void Raft::handle_disk_space_changed(const DiskSpaceChanged& changed) {
  if (auto* leader = std::get_if<Leader>(&role_); leader != nullptr && room_ == DiskSpace::enough)
    leader->full_since_us = now_us_;
  room_ = changed.room;
}

void Raft::handle_received(const Received& received) {
  const Message& message = *received.message;
  const Term term = term_of(message);
  const auto* request = std::get_if<RequestVote>(&message);
  const auto* reply = std::get_if<VoteReply>(&message);
  // A pre-vote speaks of a term that nobody is in yet (thesis 9.6).
  const bool hypothetical = (request != nullptr && request->pre_vote) ||
                            (reply != nullptr && reply->pre_vote && reply->granted);

  // Figure 2, all servers: a higher term makes a follower. A lower one is answered with ours by
  // those who can be asked, so that an old leader or candidate hears of it.
  if (term > current_term() && !hypothetical) {
    if (std::holds_alternative<Candidate>(role_)) hit(CoveragePoint::election_lost);
    become_follower(term, std::nullopt);
  }
  dispatch(received.from, message);
}

void Raft::handle_peer_up(const PeerUp& up) {
  connected_[up.server] = up.boot_id;
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || !is_replication_target(up.server)) return;
  add_progress(up.server);
  Progress& progress = leader->progress[up.server];
  if (progress.boot_id != up.boot_id) {
    const Index next = progress.next_index;
    progress = Progress{};  // another process: its log is what it will say
    progress.boot_id = up.boot_id;
    progress.next_index = next;
    progress.resend_us = options_.election_timeout_us;
    progress.last_contact_us = now_us_;
  }
  progress.connected = true;
  progress.to_probe(progress.next_index);
  send_entries(up.server, progress);
}

void Raft::handle_peer_down(const PeerDown& down) {
  connected_.erase(down.server);
  if (auto* leader = std::get_if<Leader>(&role_)) {
    const auto it = leader->progress.find(down.server);
    if (it == leader->progress.end()) return;
    it->second.connected = false;
    it->second.to_probe(it->second.next_index);
    return;
  }
  // The leader's connection has closed: most likely its process is gone, so the next leader is
  // looked for at once. If it is not gone, those who still hear it refuse their pre-votes.
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != down.server) return;
  follower->leader.reset();
  follower->last_contact_us = never_us;
  const std::uint64_t soon =
      prng_.between(options_.election_timeout_us / 60, options_.election_timeout_us / 10);
  election_at_us_ = std::min(election_at_us_, now_us_ + soon);
}

void Raft::handle_persisted(const Persisted& persisted) {
  const Index before = durable_index();
  writes_.complete(persisted.write, now_us_);
  settle_floor();
  writes_.release(current_term(), output_.messages);

  if (auto* candidate = std::get_if<Candidate>(&role_)) {
    if (candidate->own_vote_write != WriteNumber{} &&
        writes_.is_durable(candidate->own_vote_write)) {
      candidate->own_vote_write = {};
      candidate->votes.insert(options_.self);
      count_votes();
    }
  } else if (is_leader()) {
    advance_commit_index();
  } else if (durable_index() > before) {
    send_append_reply();
  }
}

void Raft::handle_applied(const Applied& applied) {
  ZATT_ASSERT(applied.index >= applied_index_ && applied.index <= commit_index_);
  applied_index_ = applied.index;
  log_.forget(std::min(applied_index_, durable_index()), options_.max_log_bytes);
}

void Raft::handle_bootstrap(const Bootstrap& bootstrap) {
  ZATT_ASSERT(log_.last_index() == Index{0});
  std::string body;
  encode(bootstrap.configuration, body);
  append_entry(Term{0}, 0, EntryKind::configuration, std::move(body));  // the same on all
  draw_election_deadline();
  if (const Member* self = configuration().find(options_.self);
      self != nullptr && configuration().members.size() == 1)
    election_at_us_ = now_us_;  // nobody to wait for
}

void Raft::handle_abandon_bootstrap() {
  ZATT_ASSERT(current_term() == Term{0} && commit_index_ == Index{0});
  become_follower(Term{0}, std::nullopt);
  truncate_log(Index{0});
}

// --- writes, and what waits for them -------------------------------------------------------------

void Raft::begin_write() {
  if (output_.write == WriteNumber{}) output_.write = writes_.begin();
}

// As a leader. Its wall clock may be behind that of the leader before, or have been put back.
void Raft::append_own(EntryKind kind, std::string body) {
  append_entry(current_term(), std::max(wall_us_, log_.last_time_us()), kind, std::move(body));
}

void Raft::append_entry(Term term, std::uint64_t time_us, EntryKind kind, std::string body) {
  begin_write();
  writes_.add(cost(body.size()));
  log_.append(term, time_us, kind, std::move(body));
  output_.append.push_back(log_.at(log_.last_index()).view());
  configurations_.append(output_.append.back());
}

void Raft::truncate_log(Index last) {
  ZATT_ASSERT(last >= commit_index_);
  ZATT_ASSERT(output_.append.empty());
  hit(CoveragePoint::suffix_truncated);
  begin_write();
  output_.truncate = last;
  log_.truncate(last);
  writes_.truncate(last);
  configurations_.truncate(last);
}

void Raft::send(const MemberId& to, Message message, WriteNumber after_write) {
  if (writes_.may_send(after_write))
    output_.messages.push_back({to, std::move(message)});
  else
    writes_.defer(after_write, {to, std::move(message)});
}

void Raft::save_term(Term term, std::optional<MemberId> voted_for) {
  ZATT_ASSERT(term >= current_term());
  begin_write();
  if (term > current_term()) {  // these speak of this term's leader
    verified_index_.reset();
    floor_end_.reset();
  }
  hard_state_.current_term = term;
  hard_state_.voted_for = std::move(voted_for);
  output_.hard_state = hard_state_;
  writes_.set_term_write(output_.write);
}

void Raft::become_follower(Term term, std::optional<MemberId> leader) {
  const bool led = is_leader();
  if (led) fail_reads();
  if (term > current_term()) save_term(term, std::nullopt);
  const std::uint64_t heard = leader ? now_us_ : 0;
  role_ = Follower{std::move(leader), heard};
  if (led) draw_election_deadline();  // ours has not run while we led
}

}  // namespace zatt::raft
