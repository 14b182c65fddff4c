// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/replica.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t apply_read_bytes = 256 << 10;

Priority priority_of(const raft::Message& message) {
  return std::holds_alternative<raft::AppendEntries>(message) ? Priority::bulk : Priority::control;
}

}  // namespace

Replica::Replica(const Options& options, Env& env, StateMachine& machine, kv::Store* store,
                 std::unique_ptr<storage::Storage> storage, std::unique_ptr<raft::Raft> raft,
                 std::uint64_t start)
    : options_(options),
      env_(env),
      machine_(machine),
      store_(store),
      storage_(std::move(storage)),
      raft_(std::move(raft)),
      hard_state_(storage_->hard_state()),
      links_(env, *this, start, options.instrumentation),
      clients_(env, options.instrumentation),
      boot_id_(start) {}

void Replica::start() {
  started_us_ = env_.now_us();
  was_below_floor_ = raft_->is_below_floor();
  say_missing_at_us_ = started_us_ + 1'000'000;
  look_after_links_at_us_ = started_us_ + 1'000'000;
  std::vector<PeerAddress> peers;
  for (const auto& [id, address] : options_.cluster)
    if (id > options_.id) peers.push_back({id, address});  // the lower id dials
  env_.dial(std::move(peers));
  drop_abandoned_bootstrap();
  drive(raft::Tick{});
  pursue_bootstrap();
  flush();
}

void Replica::carry_out(const raft::Output& output) {
  write(output);
  send(output.messages);
  fetch(output.fetches);
  on_read_states(output.reads);
  apply_committed();
  note_changes();
}

// --- disk --------------------------------------------------------------------------------------

void Replica::write(const raft::Output& output) {
  if (output.write == 0) return;
  storage::Storage::Ticket ticket = 0;
  if (output.hard_state) {
    hard_state_.current_term = output.hard_state->current_term;
    hard_state_.voted_for = output.hard_state->voted_for;
    hard_state_.floor_term = raft_->floor().term;
    hard_state_.floor_index = raft_->floor().index;
    hard_state_.floor_open_term = raft_->floor().open_term;
    ticket = storage_->save(hard_state_);
  }
  if (output.truncate) ticket = storage_->truncate(*output.truncate);
  if (!output.append.empty()) ticket = storage_->append(output.append);
  raft_writes_.emplace_back(ticket, output.write);
}

void Replica::on_disk(storage::BatchResult result) {
  disk_busy_ = false;
  if (stopped_) return;
  if (env_.now_us() - disk_busy_since_us_ >= Health::slow_disk_us) {
    disk_slow_until_us_ = env_.now_us() + Health::disk_quiet_us;
    health_.stir(env_.now_us());
  }
  storage::Storage::Done done = storage_->on_done(std::move(result), env_.now_us());
  if (!done.status) {
    fail_disk(done.status.error());
    return;
  }
  durable_ticket_ = done.durable;
  std::uint64_t persisted = 0;
  while (!raft_writes_.empty() && raft_writes_.front().first <= durable_ticket_) {
    persisted = raft_writes_.front().second;
    raft_writes_.pop_front();
  }
  if (persisted != 0) persisted_ = persisted;
  // A disk that keeps something is none that hangs, even where no write of the core is done by it.
  if (closing_) return;
  if (persisted != 0 || done.synced) drive(raft::Persisted{persisted_});
  for (const storage::Storage::ReadDone& read : done.reads) on_read_done(read);
  if (storage_->room() != room_) on_room_changed();
  if (bootstrap_ticket_ != 0 && bootstrap_ticket_ <= durable_ticket_) {
    bootstrap_ticket_ = 0;
    show_bootstrap_state();
    pursue_bootstrap();
  }
}

void Replica::on_room_changed() {
  room_ = storage_->room();
  hit(room_ == DiskSpace::enough ? CoveragePoint::disk_has_room : CoveragePoint::disk_full);
  health_.stir(env_.now_us());
  drive(raft::DiskSpaceChanged{room_});
}

// A limit of the process is no full disk, and it would be looked for in vain.
std::string Replica::no_room() const {
  const auto& error = storage_->no_room();
  if (!error || error->sys == ENOSPC) return options_.storage + ": the disk is full";
  return "no room: " + to_string(*error);
}

void Replica::fail_disk(const Error& error) {
  // What the kernel has dropped cannot be synced later: nothing more is said on its strength.
  hit(CoveragePoint::disk_failed);
  stopped_ = true;
  env_.log(LogLevel::error, options_.storage + ": " + to_string(error) +
                                "; this node stops, and on its next start believes only what it "
                                "can read back");
  env_.stop(error.code == Code::corrupt ? 4 : 5);
}

void Replica::fetch(const std::vector<raft::Fetch>& fetches) {
  for (const raft::Fetch& fetch : fetches)
    fetches_.emplace(storage_->read(fetch.first, fetch.max_bytes), fetch);
}

void Replica::on_read_done(const storage::Storage::ReadDone& read) {
  if (read.number == apply_read_) {
    apply_read_ = 0;
    hit(CoveragePoint::entries_read_back);
    for (const storage::Storage::Entry& entry : read.entries) {
      if (entry.index != applied_ + 1 || entry.index > raft_->commit_index()) continue;
      ZATT_ASSERT(raft_->log().holds(entry.index, entry.term));
      apply({entry.index, entry.term, entry.kind, entry.body});
    }
    apply_committed();
    return;
  }
  const auto it = fetches_.find(read.number);
  if (it == fetches_.end()) return;
  const raft::Fetch fetch = it->second;
  fetches_.erase(it);
  hit(CoveragePoint::entries_read_back);
  std::vector<EntryView> views;
  for (const storage::Storage::Entry& entry : read.entries)
    if (entry.index <= fetch.last && raft_->log().holds(entry.index, entry.term))
      views.push_back({entry.index, entry.term, entry.kind, entry.body});
  drive(raft::Fetched{fetch.number, std::move(views)});
}

// --- the state machine ---------------------------------------------------------------------------

void Replica::apply_committed() {
  apply_at_us_ = UINT64_MAX;
  while (applied_ < raft_->commit_index()) {
    const Index next = applied_ + 1;
    if (zatt::inject(options_.instrumentation, FaultPoint::delay_apply)) {
      apply_at_us_ = env_.now_us() + 1000 * (1 + env_.random() % 100);
      break;
    }
    if (!raft_->log().in_memory(next)) {
      if (apply_read_ == 0) apply_read_ = storage_->read(next, apply_read_bytes);
      break;
    }
    apply(raft_->log().at(next).view());
  }
  if (applied_ == told_applied_) return;  // what was read back may have been all of it
  told_applied_ = applied_;
  step(raft::Applied{applied_});
  answer_reads();
}

void Replica::apply(const EntryView& entry) {
  ZATT_ASSERT(entry.index == applied_ + 1);
  apply_reply_.clear();
  if (entry.kind == EntryKind::command) machine_.apply(entry.index, entry.body, apply_reply_);
  applied_ = entry.index;
  complete(entry.index, entry.term, apply_reply_);
}

// --- messages and time -----------------------------------------------------------------------

void Replica::send(const std::vector<raft::Envelope>& envelopes) {
  for (const raft::Envelope& envelope : envelopes) {
    PeerConnection* link = links_.find(envelope.to);
    if (link != nullptr && is_same_cluster(*link))
      links_.send(*link, priority_of(envelope.message), envelope.message);
  }
}

void Replica::note_changes() {
  if (is_anyone_behind()) health_.stir(env_.now_us());
  if (raft_->leader() != known_leader_ || raft_->current_term() != known_term_) {
    announce_leader();
    give_up_unreachable_reads();
    retry_waiting_ = true;
  }
  if (was_below_floor_ && !raft_->is_below_floor()) {
    was_below_floor_ = false;
    env_.log(LogLevel::info, options_.storage + ": the log is repaired");
  }
  if (has_acted() && !acted_shown_) {
    acted_shown_ = true;
    show_bootstrap_state();
  }
}

void Replica::announce_leader() {
  const std::optional<MemberId> leader = raft_->leader();
  if (leader && (leader != known_leader_ || raft_->current_term() != known_term_))
    env_.log(LogLevel::info,
             (leader->id == options_.id ? "this node leads" : "node " + leader->id + " leads") +
                 std::string(", term ") + std::to_string(raw(raft_->current_term())));
  else if (!leader && known_leader_)
    env_.log(LogLevel::debug,
             "no leader is known, term " + std::to_string(raw(raft_->current_term())));
  health_.stir(env_.now_us());
  known_leader_ = leader;
  known_term_ = raft_->current_term();
}

void Replica::on_time() {
  if (is_stopped()) return;
  const std::uint64_t now = env_.now_us();
  if (now >= raft_->wake_at_us()) drive(raft::Tick{});
  if (now >= apply_at_us_) apply_committed();
  expire();
  if (now >= look_after_links_at_us_) look_after_links();
  if (now >= say_missing_at_us_) say_who_is_missing();
  if (now >= std::min(health_.wake_at_us(), look_at_disk_at_us())) say_changes();
}

std::uint64_t Replica::wake_at_us() const {
  if (is_stopped()) return UINT64_MAX;
  std::uint64_t at = std::min({raft_->wake_at_us(), apply_at_us_, clients_.next_deadline_us(),
                               look_after_links_at_us_, say_missing_at_us_, health_.wake_at_us(),
                               look_at_disk_at_us()});
  if (const auto storage = storage_->wake_at_us(); storage && !disk_busy_)
    at = std::min(at, *storage);
  return at;
}

void Replica::flush() {
  if (stopped_) return;
  do {
    dispatch_all();
    submit_batch();
    clients_.flush();
  } while (answer_held_back());
}

void Replica::submit_batch() {
  if (shutting_down_ && !handed_over_ && clients_.pending() == 0) {
    handed_over_ = true;
    drive(raft::TransferLeadership{});
  }
  if (handed_over_ && !closing_ && clients_.pending() == 0 && waiters_.empty()) {
    closing_ = true;
    storage_->stop();
  }
  if (!disk_busy_) {
    if (auto batch = storage_->take_batch(env_.now_us())) {
      disk_busy_ = true;
      disk_busy_since_us_ = env_.now_us();
      env_.submit(std::move(*batch));
    }
  }
}

void Replica::shut_down() {
  if (shutting_down_) return;
  shutting_down_ = true;
  std::vector<Token> waiting;
  clients_.for_each([&](PendingRequest& pending) {
    if (pending.state == PendingRequest::State::waiting) waiting.push_back(pending.token);
  });
  for (const Token token : waiting)
    if (PendingRequest* pending = clients_.find_token(token)) refuse_stopping(*pending);
}

}  // namespace zatt::node
