// SPDX-License-Identifier: AGPL-3.0-or-later
// The consensus core: one server of the Raft algorithm as a function of its inputs.
//
// step() takes one event with the time it was delivered at, and answers what to do: what to make
// durable, what to send, what is committed, which reads may be answered. No file, socket, clock,
// thread or random source is known here; sections cited are of Ongaro and Ousterhout's extended
// Raft paper and of Ongaro's thesis.
//
// A promise is made only after the disk keeps it: the core holds back every message that rests on a
// write until Persisted says that the write is durable, so all of Output::messages may be sent at
// once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/instrumentation.h"
#include "base/prng.h"
#include "base/types.h"
#include "raft/configuration_history.h"
#include "raft/hard_state.h"
#include "raft/input.h"
#include "raft/invariants.h"
#include "raft/log.h"
#include "raft/message.h"
#include "raft/output.h"
#include "raft/role.h"
#include "raft/write_tracker.h"

namespace zatt::raft {

struct Options {
  MemberId self;
  std::uint64_t seed = 0;
  std::uint64_t election_timeout_us = 600'000;  // drawn anew from this up to twice this
  std::uint64_t max_append_bytes = 256 << 10;   // of one AppendEntries; a larger entry goes alone
  std::uint64_t max_in_flight_bytes = 1 << 20;  // sent and unanswered, a follower
  std::uint64_t max_log_bytes = 4 << 20;        // of entries kept in memory, once applied
  bool check_output = false;                    // all invariants after every step, for tests
  Instrumentation* instrumentation = nullptr;   // borrowed
};

class Raft {
 public:
  // A server without a past. What was found on disk follows, in any order but that of the entries,
  // before the first step.
  explicit Raft(const Options& options);
  void restore(const EntryView& entry);
  void restore(const MemberId& self, const HardState& hard_state);

  // All of what it returns has to be done, whatever the event was.
  [[nodiscard]] Output step(const Input& input);

  // A number for a write that is not the core's own, for all that goes to one disk is numbered in
  // one sequence. To be handed to the disk before the next step.
  std::uint64_t take_write_number() { return writes_.begin(); }

  // When Tick is due. Calling later is fine, calling earlier does nothing.
  std::uint64_t wake_at_us() const;

  const MemberId& self() const { return options_.self; }
  Term current_term() const { return hard_state_.current_term; }
  const std::optional<MemberId>& voted_for() const { return hard_state_.voted_for; }
  bool is_term_durable() const { return writes_.may_send(0); }  // and the vote in it
  Index applied_index() const { return applied_index_; }
  Index commit_index() const { return commit_index_; }
  Index durable_index() const { return writes_.durable_index(); }
  const Log& log() const { return log_; }
  const Floor& floor() const { return hard_state_.floor; }
  // In force: the last in the log, committed or not (thesis 4.1). Empty before the first.
  const Configuration& configuration() const { return configurations_.in_force(); }
  Index configuration_index() const { return configurations_.index(); }
  bool is_leader() const { return std::holds_alternative<Leader>(role_); }
  bool leads(Term term) const { return is_leader() && term == current_term(); }
  const Role& role() const { return role_; }
  std::optional<MemberId> leader() const;
  bool is_connected(const MemberId& server) const { return connected_.contains(server); }
  bool is_below_floor() const;
  // What a quorum's disks and its own have room for, as far as this leader has heard.
  DiskSpace room() const;
  DiskSpace own_room() const { return room_; }
  const Options& options() const { return options_; }

 private:
  // raft.cc
  void dispatch(const Input& input);
  void dispatch(const MemberId& from, const Message& message);
  void handle_tick();
  void handle_received(const Received& received);
  void handle_peer_up(const PeerUp& up);
  void handle_peer_down(const PeerDown& down);
  void handle_persisted(const Persisted& persisted);
  void handle_applied(const Applied& applied);
  void handle_bootstrap(const Bootstrap& found);
  void handle_abandon_bootstrap();
  void handle_disk_space_changed(const DiskSpaceChanged& changed);
  void hit(CoveragePoint point) { zatt::hit(options_.instrumentation, point); }
  bool inject(FaultPoint point) { return zatt::inject(options_.instrumentation, point); }
  // Ends the process where an invariant is broken (invariants.h).
  void check_invariants(const CoreState& before) const;
  void begin_write();
  void append_entry(Term term, std::uint64_t time_us, EntryKind kind, std::string body);
  void append_own(EntryKind kind, std::string body);
  void truncate_log(Index last);
  void collect_write();
  void send(const MemberId& to, Message message, std::uint64_t after_write = 0);
  void become_follower(Term term, std::optional<MemberId> leader);
  void save_term(Term term, std::optional<MemberId> voted_for);
  bool votes() const { return configuration().votes(options_.self); }
  bool disk_is_stuck(std::uint64_t for_us) const { return writes_.is_stuck(now_us_, for_us); }
  void transfer_if_disk_unusable();

  // election.cc
  void draw_election_deadline();
  void on_election_timeout();
  void start_pre_vote();
  void start_election();
  void become_leader();
  bool heard_from_leader() const;
  bool is_up_to_date(Index last_log_index, Term last_log_term) const;
  bool is_above_floor(Index last_log_index, Term last_log_term) const;
  void handle_request_vote(const MemberId& from, const RequestVote& request);
  void handle_vote_reply(const MemberId& from, const VoteReply& reply);
  void handle_timeout_now(const TimeoutNow& request);
  void count_votes();
  void check_quorum();
  void transfer_leadership();

  // replication.cc: the leader's side
  void handle_propose(const Propose& propose);
  void handle_fetched(const Fetched& fetched);
  void handle_transfer_leadership(const TransferLeadership& transfer);
  void handle_append_reply(const MemberId& from, const AppendReply& reply);
  void handle_heartbeat_reply(const MemberId& from, const HeartbeatReply& reply);
  void add_progress(const MemberId& server);
  bool is_replication_target(const MemberId& server) const;
  void update_progress(const MemberId& from, Progress& progress, Index match_index,
                       Index received_index);
  void send_entries(const MemberId& to, Progress& progress);
  void send_append(const MemberId& to, Progress& progress, std::vector<EntryView> entries);
  void send_to_all();
  void send_to_bare_quorum();
  std::uint64_t append_bytes();
  void resend_lost(Progress& progress, Index received_index);
  void send_heartbeats();
  void advance_commit_index();
  Index match_of(const MemberId& server) const;
  DiskSpace room_of(const MemberId& server) const;
  bool others_have_room() const;

  // follower.cc: the follower's side
  void handle_append_entries(const MemberId& from, const AppendEntries& append);
  void handle_heartbeat(const MemberId& from, const Heartbeat& heartbeat);
  void accept_leader(const MemberId& from);
  void append_from_leader(const AppendEntries& append);
  void refuse_append(const MemberId& from, const AppendEntries& append);
  void send_append_reply();
  void handle_leader_commit(const LeaderCommit& hint);
  void commit_to(Index leader_commit);
  void settle_floor();

  // reads.cc
  void handle_read_requests(const ReadRequests& requests);
  void begin_round();
  void finish_round();
  void fail_reads();

  Options options_;
  Prng prng_;
  HardState hard_state_;
  std::optional<Index> floor_end_;  // of an open one: the end that this term's leader named first
  Log log_;
  ConfigurationHistory configurations_;
  Role role_ = Follower{};
  Index commit_index_{};
  Index applied_index_{};
  // Follower: the log is the leader's of this term up to here; nothing: not compared yet.
  std::optional<Index> verified_index_;
  std::map<MemberId, std::uint64_t> connected_;  // with the start of each one's process
  std::uint64_t now_us_ = 0;
  std::uint64_t wall_us_ = 0;
  std::uint64_t election_at_us_ = 0;
  std::uint64_t fetches_ = 0;
  DiskSpace room_ = DiskSpace::enough;

  WriteTracker writes_;
  std::optional<Index> appended_from_;
  Output output_;
};

}  // namespace zatt::raft
