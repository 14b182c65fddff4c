// SPDX-License-Identifier: AGPL-3.0-or-later
// When a client's request may be handed on, to whom, and what becomes of it when its time is up.
//
// Requests of one client take effect in the order sent (docs/design.md, "Order").
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "node/client_queues.h"
#include "node/options.h"
#include "node/peer_connections.h"
#include "node/peer_table.h"
#include "node/persister.h"
#include "node/read_tracker.h"
#include "node/status.h"
#include "node/write_tracker.h"
#include "raft/raft.h"

namespace zatt::node {

class Dispatcher {
 public:
  // All are borrowed for its life.
  struct Parts {
    const Options& options;
    Env& env;
    const raft::Raft& raft;
    const Persister& persister;
    const PeerConnections& connections;
    const PeerTable& peers;
    const StatusReporter& status;
    ClientQueues& clients;
    WriteTracker& writes;
    ReadTracker& reads;
  };
  explicit Dispatcher(const Parts& parts) : p_(parts) {}

  // Takes a request that only a leader can settle, or refuses it.
  void admit(ClientQueue& client, PendingRequest& pending);
  // Hands on what waits and may be handed on, where anything has changed since.
  void dispatch_waiting();
  // Ends the requests whose time is up.
  void expire();
  // It has said that it is this term's leader no more: it is not asked again.
  void reject(const Target& target) { rejected_ = target; }

 private:
  void dispatch(ClientQueue& client);
  // Hands on what waits for its turn, a write a client in turn, and refuses what would come too late.
  void dispatch_in_turn();
  // Whether this client's next write may go there now; else it is queued for its turn.
  bool may_hand_on(const PendingRequest& pending, const Target& target);
  // Whether what waits for its turn already is more than is taken in its time.
  bool waits_too_long(const PendingRequest& pending) const;
  // False: neither it nor what follows it may be handed on yet. `after_a_read`: one that is not
  // answered.
  bool dispatch(ClientQueue& client, PendingRequest& pending, const std::optional<Target>& target,
                bool after_a_read);
  // Who leads, where that one can be asked.
  std::optional<Target> target() const;
  // Why no more may be taken now; nothing: it may.
  std::optional<codec::Failure> refusal_of(PendingRequest& pending) const;
  void expire(PendingRequest& pending);
  void expire_readable(PendingRequest& pending);
  std::string why_not_caught_up() const;

  const Parts p_;
  Target rejected_;
  struct Turn {
    ClientId client{};
    std::uint64_t bytes = 0;  // of the write that it would hand on next
    std::uint64_t deadline_us = 0;
  };
  std::deque<Turn> waiting_;  // the first to come first
  std::uint64_t waiting_bytes_ = 0;
  const ClientQueue* next_in_turn_ = nullptr;  // whose turn it is
};

}  // namespace zatt::node
