// SPDX-License-Identifier: AGPL-3.0-or-later
// One member: raft, storage and a state machine joined, and the clients who talk to it.
//
// Deterministic. It is called (all on one thread), does what follows, and calls Env; it never
// waits. Whoever calls it calls flush() when there is nothing more to hand over for now: what
// gathered until then is one batch.
//
// The core takes one event after another, and each part takes its share of what the core puts out,
// always in this order: persister, write tracker, messages, applier, read tracker. Only Node hands
// events to the core.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "codec/request.h"
#include "node/applier.h"
#include "node/bootstrapper.h"
#include "node/client_queues.h"
#include "node/dispatcher.h"
#include "node/env.h"
#include "node/node_state.h"
#include "node/options.h"
#include "node/peer_connections.h"
#include "node/peer_table.h"
#include "node/persister.h"
#include "node/read_tracker.h"
#include "node/responder.h"
#include "node/service.h"
#include "node/status.h"
#include "node/write_tracker.h"
#include "raft/raft.h"
#include "storage/disk.h"

namespace zatt::node {

class Node final : private PeerConnectionsOwner {
 public:
  // Reads the storage directory behind `disk` on the calling thread (blocking: a long log takes a
  // while), makes its identity where it is empty, and is ready to be called. The error's text is
  // for a person; its Code says of what kind.
  // `service` and `env` are borrowed for the node's life.
  static Result<std::unique_ptr<Node>> open(const Options& options, Env& env, storage::Disk& disk,
                                            Service& service);
  ~Node() override;

  // Begins to talk: the first Env::dial.
  void start();

  // Peers. `dialed` is the member that Env::dial was given; nothing where the peer called us.
  void on_link_up(LinkId link, std::optional<std::string> dialed);
  void on_frame(LinkId link, std::string_view frame);
  void on_link_down(LinkId link, std::string_view why = {});  // as far as that is known
  // Env::dial's attempt failed: for the log and for no_leader's messages. `why` is for a person.
  void on_dial_failed(const std::string& id, std::string_view why);

  // Clients. Each request is answered once, by Env::respond.
  void on_client_open(ClientId client) { clients_.open(client); }
  void on_request(ClientId client, codec::Request request);
  // It has read of its responses: see Env::unread.
  void on_client_room(ClientId client) { clients_.mark_dirty(client); }
  void on_client_end(ClientId client) { clients_.end(client); }  // answer what it sent
  void on_client_closed(ClientId client) { clients_.close(client); }

  void on_disk(storage::BatchResult result);
  void on_read(storage::BatchResult result);

  // To be called at or after wake_at_us().
  void on_time();
  std::uint64_t wake_at_us() const;

  void flush();

  // Refuse what comes from now on with shutting_down and finish what is in flight; is_idle() is
  // true once nothing is. A leader hands on its leadership first where it can.
  void shut_down();
  bool is_idle() const { return phase_ == Phase::stopped || persister_.is_stopped(); }

  NodeState state() const { return status_.state(applier_.last_applied()); }

  // For tests and the simulator's checks.
  const raft::Raft& raft() const { return *raft_; }
  Index last_applied() const { return applier_.last_applied(); }
  std::string why_no_leader() const { return status_.why_no_leader(); }
  // Of all requests that are not answered.
  std::uint64_t request_bytes() const { return clients_.bytes(); }
  // Requests, proposals and reads that wait for something: none at rest.
  std::size_t backlog() const;

 private:
  using Event = decltype(raft::Input::event);
  // What still happens; each ends more than the one before.
  enum class Phase : std::uint8_t {
    running,
    draining,      // new requests are refused, those under way are finished
    transferring,  // none is under way, and this node leads no more, as far as it can help it
    closing,       // the core is asked nothing; the last batch says where the log ends
    stopped,       // nothing that comes is heeded
  };

  Node(const Options& options, Env& env, Service& service,
       std::unique_ptr<storage::Storage> storage, std::unique_ptr<raft::Raft> raft);

  // Steps the core with this event, and with all that follow from it. From within that, the event
  // is queued: the step under way comes to its end first.
  void post(Event event);
  // The core's one step for it, and what comes of that.
  void step(Event&& event);
  // Hands each part its share of one output.
  void distribute(const raft::Output& output);
  void send(const std::vector<raft::Envelope>& envelopes);
  // Whether it is left to be sent again later.
  bool is_withheld(const PeerConnection& peer, const raft::Message& message) const;
  // Lets the machine apply what is committed, and the reads that waited for it go.
  void apply_committed();
  // Whether the disk has failed or is damaged; then this node stops.
  bool has_failed(const Persister::Done& done);
  // Nothing is said after it, and nothing done.
  void stop(const std::string& why, StopReason reason);
  // Only what the disk has done is heeded.
  bool is_closing() const { return phase_ >= Phase::closing; }

  // PeerConnectionsOwner.
  codec::Hello own_hello() override { return bootstrapper_.hello(); }
  bool is_known_id(const std::string& id) const override;
  std::optional<codec::Refused> validate(const codec::Hello& hello, bool called) override;
  void on_peer_up(PeerConnection& peer) override;
  void on_peer_down(PeerConnection& peer) override;
  void on_peer_message(PeerConnection& peer, const codec::PeerMessage& message) override;
  void on_refused(const std::string& id, const codec::Refused& refused) override;
  bool says_refusals_of(const std::string& id) override;

  // Peers, in peers.cc.
  std::optional<codec::Refused> why_refused(const codec::Hello& hello) const;
  void stop_if_refused(const std::string& why);
  // The core speaks to a peer once both belong to one cluster and its first configuration is known.
  void attach(const PeerConnection& peer);
  void detach(const MemberId& member);
  void carry_out(const Bootstrapper::Actions& actions);
  void show_bootstrap_state();
  void look_after_connections();
  // Has that done within a second.
  void look_soon();
  void handle(PeerConnection& peer, const codec::Hello& hello);
  void handle(PeerConnection& peer, const codec::Refused& refused);
  void handle(PeerConnection& peer, const codec::BootstrapState& state);
  void handle(PeerConnection& peer, const codec::Forward& forward);
  void handle(PeerConnection& peer, const codec::ForwardReply& reply);
  void handle(PeerConnection& peer, const codec::ReadIndex& request);
  void handle(PeerConnection& peer, const codec::ReadIndexReply& reply);
  void handle(PeerConnection& peer, const raft::Message& message);

  // Requests, in requests.cc.
  // Where nobody else has to be asked for it.
  std::optional<codec::Response> immediate_response(const codec::Operation& operation) const;
  // Hands the core what clients want written.
  void propose();
  // Takes the next step of a stop, where all that it waits for is done.
  void go_on_stopping();

  const Options options_;
  Env& env_;
  Service& service_;
  std::unique_ptr<raft::Raft> raft_;
  Persister persister_;
  PeerConnections connections_;
  PeerTable peers_;
  Bootstrapper bootstrapper_;
  ClientQueues clients_;
  WriteTracker writes_;
  ReadTracker reads_;
  Applier applier_;
  Responder responder_;
  StatusReporter status_;
  Dispatcher dispatcher_;
  std::deque<Event> events_;
  bool stepping_ = false;
  Phase phase_ = Phase::running;
  bool acted_shown_ = false;
  std::uint64_t look_after_connections_at_us_ = 0;
};

}  // namespace zatt::node
