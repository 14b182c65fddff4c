// SPDX-License-Identifier: AGPL-3.0-or-later
// What becomes of a write: proposed here, or forwarded to who leads, and answered.
//
// Three outcomes only. "Done": the state machine applied it. "Failed": it was never handed on, was
// refused before it was proposed, or another entry was committed in its place. All else is unknown.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "codec/peer_message.h"
#include "node/admission.h"
#include "node/client_queues.h"
#include "node/forwards.h"
#include "node/options.h"
#include "node/peer_connections.h"
#include "node/persister.h"
#include "raft/raft.h"

namespace zatt::node {

class WriteTracker {
 public:
  static constexpr std::uint64_t max_wait_us = 100'000;

  // All are borrowed for its life.
  WriteTracker(const Options& options, Env& env, const raft::Raft& raft, const Persister& persister,
               PeerConnections& connections, ClientQueues& clients);

  // Takes a client's write, which is writing from now on: to be proposed here, or sent to the
  // leader.
  void batch(PendingRequest& pending, const Target& target);
  // Of a client's write, here where there is no link, else over that one (see Forwards): whether one
  // more may be taken now, and whether it would be decided in time.
  bool may_take(LinkId link) {
    return link == LinkId::none ? admission().has_room(gathered_bytes_) : forwards_.may_send(link);
  }
  bool is_in_time(LinkId link, std::uint64_t deadline_us) {
    return link == LinkId::none ? admission().is_in_time(deadline_us)
                                : forwards_.is_in_time(link, deadline_us);
  }
  // About how long so many bytes wait for their turn to go there; 0 where that is not known.
  std::uint64_t wait_us(LinkId link, std::uint64_t bytes) {
    return link == LinkId::none ? admission().wait_us(bytes) : forwards_.wait_us(link, bytes);
  }
  // Takes another member's write, or refuses it.
  void on_forward(PeerConnection& peer, const codec::Forward& forward);

  // The next piece of what was taken; nothing: there is no more. Each is to be stepped, and
  // on_proposed called with what came of it, before the next is asked for. In pieces, each a write
  // of its own: what the disk has kept of a backlog counts, and what a follower is sent of it goes
  // out, before the last of it is written.
  std::optional<raft::Propose> next_proposal();
  // `first`: the index of the piece's first command, 0 where the core has refused it all.
  void on_proposed(Index first);
  bool has_proposals() const { return !gathered_.empty(); }
  // Where there are some: whether they have to wait for a voter that is behind (raft/pace.cc): for max_wait_us at
  // most, from the first of it on.
  bool must_wait(std::uint64_t now_us);
  bool is_waiting() const { return wait_until_us_ != 0; }
  std::uint64_t wake_at_us() const { return is_waiting() ? wait_until_us_ : never_us; }

  // This entry is applied: what the log says about the proposals at its index.
  void on_applied(Index index, Term term, std::string_view reply);
  // What the leader says of a forwarded write.
  Forwards::Answered on_forward_reply(PeerConnection& peer, const codec::ForwardReply& reply) {
    return forwards_.on_reply(peer, reply);
  }
  void lose(LinkId link) { forwards_.lose(link); }

  // Why no write may be taken now. Asked of a follower too: what waits for the disk, for a
  // majority, or for the machine is in memory.
  bool has_too_many() const;
  // Whether this leader knows of no room for a write, which `grows` or takes little.
  bool has_no_room_for(bool grows) const;
  std::size_t proposed() const { return waiters_.size(); }
  std::size_t backlog() const { return waiters_.size() + gathered_.size(); }

 private:
  // Where a proposed command came from: a client of ours (request), or a peer's (link and number).
  struct Origin {
    RequestId request{};
    LinkId link = LinkId::none;
    std::uint64_t number = 0;
    bool any_result = false;  // whatever its length
  };
  struct Gathered {
    Origin origin;
    Term term{};
    std::string command;
  };
  struct Waiter {  // for the entry at an index
    Term term{};
    Origin origin;
  };

  // Of the term as it is now.
  Admission& admission() {
    admission_.begin_term(raft_.current_term());
    return admission_;
  }
  void gather(Gathered write);
  // Not proposed here, and for certain: back to whoever asked.
  void give_back(const Origin& origin, std::string command);
  void answer_forward(const Origin& origin, codec::ForwardReply::What what,
                      std::string_view result = {}, Index index = {});
  void answer_applied(const Origin& origin, std::string_view result, Index index);
  // Says where they were proposed to those who forwarded them, before the entries themselves go.
  void tell_proposed(Index first);
  // How much each other member may forward.
  std::uint64_t credit() const;
  void give_up_replaced(Term term);
  // Another entry was committed in its place.
  void finish_replaced(const Origin& origin);

  const Options& options_;
  const raft::Raft& raft_;
  const Persister& persister_;
  PeerConnections& connections_;
  ClientQueues& clients_;
  Admission admission_;
  std::vector<Gathered> gathered_;
  std::uint64_t gathered_bytes_ = 0;
  std::uint64_t wait_until_us_ = 0;  // the first of these; 0: none waits
  std::vector<Waiter> proposing_;    // the piece with the core
  std::uint64_t proposing_bytes_ = 0;
  std::multimap<Index, Waiter> waiters_;
  Term settled_term_{};  // of the last entry applied
  Forwards forwards_;
};

}  // namespace zatt::node
