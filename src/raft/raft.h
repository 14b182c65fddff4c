// SPDX-License-Identifier: AGPL-3.0-or-later
// The consensus core: one server of the Raft algorithm as a function of its inputs.
//
// step() takes one event with the time it was delivered at (input.h), and returns what to do about
// it (output.h): what to make durable, what to send, which reads may be answered. What is committed
// is read from commit_index(). No file, socket, clock,
// thread or random source is known here; sections cited are of Ongaro and Ousterhout's extended
// Raft paper and of Ongaro's thesis.
//
// A promise is made only after the disk keeps it: the core holds back every message that rests on a
// write until Persisted says that the write is durable, so all of Output::messages may be sent at
// once.
//
// Threads: none of its own, one caller at a time. Times are in microseconds of one clock that never
// goes back. Errors: a broken invariant ends the process; "no" of any other kind is a value.
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

  // Uses the input up. All of what it returns has to be done, whatever the event was, and is there
  // until the next step.
  [[nodiscard]] const Output& step(Input&& input);

  // A number for a write that is not the core's own, for all that goes to one disk is numbered in
  // one sequence. To be handed to the disk before the next step.
  WriteNumber take_write_number() { return writes_.begin(); }

  // What `message` says of its sender that cannot be, as far as this server knows; empty where it
  // can. Such a message is not to be stepped: the core ends the process over what it rules out.
  std::string_view contradiction(const MemberId& from, const Message& message) const;

  // When Tick is due. Calling later is fine, calling earlier does nothing.
  std::uint64_t wake_at_us() const;

  const MemberId& self() const { return options_.self; }
  Term current_term() const { return hard_state_.current_term; }
  const std::optional<MemberId>& voted_for() const { return hard_state_.voted_for; }
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
  const std::optional<MemberId>& leader() const;  // valid until the next step
  bool is_connected(const MemberId& server) const { return connected_.contains(server); }
  bool is_below_floor() const;
  // Whether a voter is behind that could keep up: one that is there, has room and makes progress.
  // Proposals wait a little for it.
  bool has_lagging_voter(std::uint64_t now_us) const;
  // What a quorum's disks and its own have room for, as far as this leader has heard.
  DiskSpace room() const;
  DiskSpace own_room() const { return room_; }
  const Options& options() const { return options_; }

 private:
  // --- raft.cc: events -------------------------------------------------------------------------
  // Each handler does what its event or message asks for, and leaves in output_ what is to be done.
  void dispatch(Input& input);
  void dispatch(const MemberId& from, const Message& message);
  void handle_tick();
  void handle_received(const Received& received);
  void handle_peer_up(const PeerUp& up);
  void handle_peer_down(const PeerDown& down);
  void handle_persisted(const Persisted& persisted);
  void handle_applied(const Applied& applied);
  void handle_bootstrap(const Bootstrap& bootstrap);
  void handle_abandon_bootstrap();
  void handle_disk_space_changed(const DiskSpaceChanged& changed);
  void hit(CoveragePoint point) { zatt::hit(options_.instrumentation, point); }
  bool inject(FaultPoint point) { return zatt::inject(options_.instrumentation, point); }
  // Ends the process where an invariant is broken (invariants.h).
  void check_invariants(const CoreState& before) const;

  // --- raft.cc: writes and messages ------------------------------------------------------------
  // Numbers this step's write, unless that has been done.
  void begin_write();
  // Adds an entry at the log's end, to memory and to this step's write.
  void append_entry(Term term, std::uint64_t time_us, EntryKind kind, std::string body);
  // The same of this leader's own: with its term and time, which never goes back along a log.
  void append_own(EntryKind kind, std::string body);
  // Drops the entries above `last`, here and on disk. At most once a step, before any append.
  void truncate_log(Index last);
  // Sends a message once the term's write and `after_write` are durable, which may be now.
  void send(const MemberId& to, Message message, WriteNumber after_write = {});
  // Takes up a term that is not lower than ours, as a follower of `leader` if that is known.
  void become_follower(Term term, std::optional<MemberId> leader);
  // Writes the term and the vote; whatever is sent from now on waits for it.
  void save_term(Term term, std::optional<MemberId> voted_for);
  // Whether this server votes in the configuration in force.
  bool votes() const { return configuration().votes(options_.self); }
  // Whether the disk has kept nothing of what it was asked for so long.
  bool disk_is_stuck(std::uint64_t for_us) const { return writes_.is_stuck(now_us_, for_us); }
  // Stops leading where our disk hangs, or is full while those of a quorum are not.
  void transfer_if_disk_unusable();

  // --- election.cc -----------------------------------------------------------------------------
  void handle_request_vote(const MemberId& from, const RequestVote& request);
  void handle_vote_reply(const MemberId& from, const VoteReply& reply);
  void handle_timeout_now(const TimeoutNow& request);
  void handle_transfer_leadership(const TransferLeadership& transfer);
  // Sets the next election timeout, at random.
  void draw_election_deadline();
  // No leader has been heard of for an election timeout: campaigns, where that is allowed.
  void on_election_timeout();
  // Asks whether an election could be won, changing no term (thesis 9.6).
  void start_pre_vote();
  // Takes the next term, votes for itself, and asks the other voters.
  void start_election();
  // A quorum has voted for this candidate.
  void become_leader();
  // Whether a leader is there: us, or one heard of within an election timeout.
  bool heard_from_leader() const;
  // Whether a candidate's log holds all that ours does (paper 5.4.1) and all we promised.
  bool is_up_to_date(Index last_log_index, Term last_log_term) const;
  bool is_above_floor(Index last_log_index, Term last_log_term) const;
  // Goes on from a pre-vote, or from an election, once a quorum has said yes.
  void count_votes();
  // Steps down where no quorum has answered for an election timeout (thesis 6.2).
  void check_quorum();
  // Steps down, and asks the best follower that is connected to start an election at once.
  void transfer_leadership();

  // --- replication.cc: the leader's side -------------------------------------------------------
  void handle_propose(Propose& propose);
  void handle_fetched(const Fetched& fetched);
  void handle_append_reply(const MemberId& from, const AppendReply& reply);
  void handle_heartbeat_reply(const MemberId& from, const HeartbeatReply& reply);
  // Begins to keep track of a follower's log, unless that is done already.
  void add_progress(const MemberId& server);
  // Remembers where the log ends now (pace.cc).
  void mark_end();
  // Whether this server gets the log, as a member or as one whose directory was wiped.
  bool is_replication_target(const MemberId& server) const;
  // Takes over what a follower says of its log in our term, and sends it what it may have next.
  void update_progress(const MemberId& from, Progress& progress, Index match_index,
                       Index received_index);
  // Sends as many entries as the follower's state and window allow; fetches those not in memory.
  void send_entries(const MemberId& to, Progress& progress);
  // Sends these entries, which begin at next_index, or none.
  void send_append(const MemberId& to, Progress& progress, std::vector<EntryView> entries);
  void send_to_all();
  void send_to_bare_quorum();
  // How much one AppendEntries carries.
  std::uint64_t append_bytes();
  // Sends again what has gone unanswered for too long and has not arrived.
  void resend_lost(Progress& progress, Index received_index);
  // Heartbeats to all that are connected, with the round of reads under way.
  void send_heartbeats();
  // Commits what a quorum stores, this server's own disk included (commit.h).
  void advance_commit_index();
  // Up to where a member, or this server, stores our log durably; 0 where that is not known.
  Index match_of(const MemberId& server) const;
  // A member's disk space, as far as this leader has heard; of who is not there, none.
  DiskSpace room_of(const MemberId& server) const;
  // Whether a quorum without this server is connected and has enough disk space.
  bool others_have_room() const;

  // --- follower.cc: the follower's side --------------------------------------------------------
  void handle_append_entries(const MemberId& from, const AppendEntries& append);
  void handle_heartbeat(const MemberId& from, const Heartbeat& heartbeat);
  void handle_leader_commit(const LeaderCommit& hint);
  // Follows the leader of the current term, and gives it another election timeout.
  void accept_leader(const MemberId& from);
  // Appends what is not there yet, dropping what conflicts. The logs match at prev_log_index.
  void append_from_leader(const AppendEntries& append);
  // Says where the logs may meet, since they do not match at prev_log_index.
  void refuse_append(const MemberId& from, const AppendEntries& append);
  // Whether so much has arrived since the last answer that the leader should hear of it.
  bool has_arrived(const AppendEntries& append);
  // How many bytes of entries more are taken before some are durable.
  std::uint64_t takes() const;
  // Tells the leader how far the log is received and stored, where that has been compared.
  void send_append_reply();
  // Raises commit_index to the leader's, as far as our log is known to be the leader's.
  void commit_to(Index leader_commit);
  // Drops the floor once what was promised before the damage is durable again.
  void settle_floor();

  // --- contradiction.cc: what a peer cannot say, each a part of it --------------------------------
  std::string_view contradiction_in_claim(const MemberId& from, Term term) const;
  std::string_view contradiction_in_entries(const AppendEntries& append) const;
  std::string_view contradiction_in_progress(Term term, Index match_index,
                                             Index received_index) const;
  std::string_view contradiction_in_vote(const VoteReply& reply) const;

  // --- reads.cc ----------------------------------------------------------------------------------
  void handle_read_requests(const ReadRequests& requests);
  // Asks all members whether this server still leads. No round is under way, and reads wait.
  void begin_round();
  // Confirms the reads of the round under way once a quorum has answered it; begins the next.
  void finish_round();
  // Answers all that wait unconfirmed, since this server leads no longer.
  void fail_reads();

  Options options_;
  Prng prng_;
  HardState hard_state_;
  std::optional<Index> floor_end_;  // of an open floor: the end that this term's leader named first
  Log log_;
  ConfigurationHistory configurations_;
  Role role_ = Follower{};
  Index commit_index_{};
  Index applied_index_{};
  // As a follower: up to here the log is that of this term's leader; nothing: not compared yet.
  std::optional<Index> verified_index_;
  std::map<MemberId, BootId> connected_;
  std::uint64_t now_us_ = 0;
  std::uint64_t wall_us_ = 0;
  std::uint64_t election_at_us_ = 0;
  std::uint64_t fetches_ = 0;
  DiskSpace room_ = DiskSpace::enough;

  WriteTracker writes_;
  Output output_;  // of this step, or the last
  std::optional<MemberId> vote_before_;
};

}  // namespace zatt::raft
