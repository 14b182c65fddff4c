// SPDX-License-Identifier: AGPL-3.0-or-later
// The inside of a Node: what it is made of, and which file holds which of its duties.
//
//   replica.cc   opening a directory; driving raft, storage and the state machine
//   peers.cc     greetings, founding, messages between members
//   requests.cc  a client's line until it is handed on; deadlines
//   writes.cc    proposals, forwards, and what became of them
//   reads.cc     read indexes asked for and granted; answers from the store
//   status.cc    what a person is told
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/bootstrap.h"
#include "node/client_queues.h"
#include "node/health.h"
#include "node/node.h"
#include "node/peer_connections.h"
#include "storage/storage.h"

namespace zatt::node {

// Where a proposed command came from: a client of ours (token), or a peer's (link and number).
struct Origin {
  Token token = 0;
  LinkId link = 0;
  std::uint64_t number = 0;
};

struct Waiter {  // for the entry at an index
  Term term{};
  Origin origin;
};

// Reads that share one question to the leader.
struct ReadGroup {
  std::vector<Token> tokens;  // ours; or
  LinkId link = 0;            // a peer's request, and its number
  std::uint64_t number = 0;
  Index index{};
  Term term{};  // of the leader asked
};

inline constexpr std::uint64_t max_unsynced_bytes = 64 << 20;  // that wait for the disk in memory
inline constexpr const char* no_room_text =
    "the disk has no room for this; reads go on. Make room on the disk: deleting keys makes none";

class Replica final : public PeerConnectionsOwner {
 public:
  Replica(const Options& options, Env& env, StateMachine& machine, kv::Store* store,
          std::unique_ptr<storage::Storage> storage, std::unique_ptr<raft::Raft> raft,
          std::uint64_t start);

  // replica.cc
  void start();
  void on_disk(storage::BatchResult result);
  void on_time();
  std::uint64_t wake_at_us() const;
  void flush();
  void shut_down();
  bool is_idle() const { return stopped_ || storage_->is_stopped(); }

  // peers.cc
  void on_link_up(LinkId link, std::optional<std::string> dialed);
  void on_dial_failed(const std::string& id, std::string_view why);
  codec::Hello own_hello() override;
  bool is_known_id(const std::string& id) override;
  std::optional<codec::Refused> validate(const codec::Hello& hello, bool called) override;
  void on_peer_up(PeerConnection& link) override;
  void on_peer_down(PeerConnection& link) override;
  void on_peer_message(PeerConnection& link, const codec::PeerMessage& message) override;
  void on_refused(const std::string& id, const codec::Refused& refused) override;
  bool says_refusals_of(const std::string& id) override;

  // requests.cc
  void on_line(ClientId id, std::string_view line, bool too_long);
  void on_propose(ClientId id, std::string command, std::uint32_t timeout_ms);
  void on_barrier(ClientId id, std::uint32_t timeout_ms);
  void on_client_room(ClientId id);

  // status.cc
  std::string why_no_leader() const;
  std::size_t backlog() const;
  NodeState state() const;

  Env& env() { return env_; }
  PeerConnections& links() { return links_; }
  ClientQueues& clients() { return clients_; }
  // Nothing that comes is heeded any more, but what the disk has done.
  bool is_stopped() const { return stopped_ || closing_; }
  bool takes_requests() const { return !stopped_; }  // if only to refuse them
  const raft::Raft& raft() const { return *raft_; }
  Index last_applied() const { return applied_; }

 private:
  void hit(CoveragePoint point) { zatt::hit(options_.instrumentation, point); }

  // replica.cc
  template <class Event>
  raft::Output step(Event event) {
    return raft_->step(raft::Input{env_.now_us(), std::move(event)});
  }
  template <class Event>
  void drive(Event event) {
    if (!closing_) carry_out(step(std::move(event)));
  }
  void carry_out(const raft::Output& output);
  void write(const raft::Output& output);
  void send(const std::vector<raft::Envelope>& envelopes);
  void fetch(const std::vector<raft::Fetch>& fetches);
  void on_read_done(const storage::Storage::ReadDone& read);
  void submit_batch();
  void apply_committed();
  void apply(const EntryView& entry);
  void note_changes();
  void announce_leader();
  void on_room_changed();
  void fail_disk(const Error& error);
  std::string no_room() const;

  // peers.cc
  codec::BootstrapState standing() const;
  bool is_same_cluster(const PeerConnection& link) const;
  void attach_peer(PeerConnection& link);
  void detach_peer(PeerConnection& link);
  void pursue_bootstrap();
  void carry_out(const BootstrapStep& step);
  void abandon_bootstrap();
  void drop_abandoned_bootstrap();
  void save_bootstrap();
  void show_bootstrap_state();
  void on_message(PeerConnection& link, const codec::BootstrapState& standing);
  void on_message(PeerConnection& link, const raft::Message& message);
  bool has_space_for(const raft::AppendEntries& append) const;
  raft::Message without_commands(const raft::AppendEntries& append);
  void on_message(PeerConnection&, const codec::Hello&) {}  // links.cc has seen to these
  void on_message(PeerConnection&, const codec::Refused&) {}
  bool is_in_cluster() const;  // the core may be spoken to
  bool has_acted() const { return hard_state_.current_term > Term{0}; }
  std::vector<ConnectedPeer> connected_peers() const;
  void look_after_links();
  void say_who_is_missing();
  std::optional<codec::Refused> why_refused(const codec::Hello& hello);
  void end_if_refused(const std::string& why);

  // requests.cc
  void refuse(ClientQueue& client, const codec::Refusal& refusal);
  PendingRequest& enqueue(ClientQueue& client, PendingRequest::Kind kind, codec::Request request);
  void admit(ClientQueue& client, PendingRequest& pending);
  std::optional<codec::ErrorCode> load_error(const PendingRequest& pending) const;
  std::string too_large_text() const;
  bool has_too_many_writes() const;
  bool has_no_room_for(bool growth) const;
  void dispatch_all();
  void dispatch(ClientQueue& client);
  bool dispatch(ClientQueue& client, PendingRequest& pending, const Target& target);
  std::optional<Target> target() const;
  void expire();
  void expire(PendingRequest& pending);
  std::string why_not_caught_up() const;
  void finish_error(PendingRequest& pending, codec::ErrorCode code, std::string_view message);
  void back_to_waiting(Token token);
  void refuse_stopping(PendingRequest& pending);

  // writes.cc
  void batch_write(PendingRequest& pending, const Target& target);
  void propose_gathered();
  void propose(raft::Propose propose, const std::vector<Origin>& origins);
  void on_message(PeerConnection& link, const codec::Forward& forward);
  void on_message(PeerConnection& link, const codec::ForwardReply& reply);
  void answer_forward(const Origin& origin, codec::ForwardReply::What what, std::string_view result,
                      Index index = {});
  void complete(Index index, Term term, std::string_view result);
  void give_up_replaced(Term term);
  void finish_replaced(const Origin& origin);
  void finish_write(PendingRequest& pending, Index index, std::string_view result);
  void lose_forwards(LinkId link);

  // reads.cc
  void batch_read(PendingRequest& pending, bool to_log_end, const Target& target);
  void ask_for_reads();
  void on_message(PeerConnection& link, const codec::ReadIndex& request);
  void on_message(PeerConnection& link, const codec::ReadIndexReply& reply);
  void on_read_states(const std::vector<raft::ReadState>& reads);
  void wait_for_apply(ReadGroup group);
  void answer_reads();
  void finish_reads(const std::vector<Token>& readable);
  bool finish_readable(ClientQueue& client);
  bool answer_held_back();
  void finish_read(PendingRequest& pending, bool stale);
  void fail(const ReadGroup& group);
  void lose_reads(LinkId link);
  void give_up_unreachable_reads();

  // status.cc
  void finish_status(PendingRequest& pending);
  Role role() const;
  std::string notice() const;
  Picture picture() const;
  bool is_anyone_behind() const;
  void say_changes();
  bool is_disk_slow() const;
  std::uint64_t look_at_disk_at_us() const;
  std::string stored_members_differ() const;
  std::string what_the_disk_owes() const;
  std::string who_is_far_behind() const;
  std::string member_notice(const MemberId& member) const;
  std::string where(const std::string& id) const;

  Options options_;
  Env& env_;
  StateMachine& machine_;
  kv::Store* store_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<raft::Raft> raft_;
  storage::HardState hard_state_;
  PeerConnections links_;
  ClientQueues clients_;
  codec::RequestParser parser_;
  std::uint64_t boot_id_;
  std::uint64_t started_us_ = 0;
  bool stopped_ = false;
  bool shutting_down_ = false;
  bool handed_over_ = false;
  bool closing_ = false;  // the last batch says where the log ends

  // Writes under way: raft's write numbers by storage's tickets.
  std::deque<std::pair<storage::Storage::Ticket, std::uint64_t>> raft_writes_;
  storage::Storage::Ticket bootstrap_ticket_ = 0;  // the founding state last saved
  storage::Storage::Ticket durable_ticket_ = 0;
  std::uint64_t persisted_ = 0;  // raft's write number
  bool disk_busy_ = false;
  std::uint64_t disk_busy_since_us_ = 0;
  std::uint64_t disk_slow_until_us_ = 0;  // the last batch that took too long, and a while
  DiskSpace room_ = DiskSpace::enough;

  // Reads from the log on disk: for followers far behind, and for applying after a start.
  std::map<std::uint64_t, raft::Fetch> fetches_;  // by storage's number
  std::uint64_t apply_read_ = 0;                  // storage's number; 0: none under way

  Index applied_{};
  Index told_applied_{};  // the core, and the reads that wait for it
  std::string apply_reply_;
  std::uint64_t apply_at_us_ = UINT64_MAX;  // what was put off

  // Founding and acquaintance.
  bool bootstrap_said_ = false;
  std::uint64_t say_missing_at_us_ = 0;
  std::string stuck_;
  struct PeerInfo {
    std::uint64_t seen_us = 0;              // 0: never
    std::string dial_error;                 // or why its connection ended
    std::string refusal;                    // the last one, by either side
    std::optional<std::uint64_t> alien_us;  // when it was last found to be of another cluster
    // When it last refused this node as started twice, and since when it does.
    std::optional<std::uint64_t> twice_us;
    std::uint64_t twice_since_us = 0;
  };
  std::map<std::string, PeerInfo> peer_infos_;
  std::set<MemberId> in_raft_;  // peers whose PeerUp the core has had
  bool acted_shown_ = false;
  bool was_below_floor_ = false;  // as at the start: the log is being repaired
  std::uint64_t look_after_links_at_us_ = 0;
  Health health_;
  std::string difference_said_;  // between the members here and those of the cluster

  // Writes.
  struct Gathered {
    Origin origin;
    Term term{};
    std::string command;
  };
  std::vector<Gathered> gathered_;
  std::multimap<Index, Waiter> waiters_;
  Term settled_term_{};  // of the last entry applied
  struct ForwardsOut {
    std::map<std::uint64_t, Token> by_number;
  };
  std::map<LinkId, ForwardsOut> forwards_;

  // Reads.
  ReadGroup gathered_reads_;
  bool gathered_to_log_end_ = false;
  Target gathered_target_;
  struct RemoteRead {
    LinkId link = 0;
    std::uint64_t number = 0;
    bool to_log_end = false;
  };
  std::vector<RemoteRead> gathered_remote_reads_;
  std::uint64_t last_read_id_ = 0;
  std::map<std::uint64_t, ReadGroup> asked_core_;  // by ReadRequest id
  std::map<std::pair<LinkId, std::uint64_t>, ReadGroup> asked_peer_;
  std::multimap<Index, ReadGroup> confirmed_;  // wait for applied_
  std::set<ClientId> held_back_;               // with reads whose answers have no room yet

  // Who leads, as last announced.
  std::optional<MemberId> known_leader_;
  Term known_term_{};
  bool retry_waiting_ = false;
  Target rejected_target_;  // who said to be this term's leader no more: not to be asked again
};

}  // namespace zatt::node
