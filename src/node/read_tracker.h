// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads until they may be answered: an index asked of who leads, and waited for.
//
// What is asked in one turn is one question. A leader asks its core; a follower asks the leader,
// and learns with the answer how far it may apply. So a leader's own reads wait for its state
// machine, and a follower's question only for the commit.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/types.h"
#include "codec/peer_message.h"
#include "node/client_queues.h"
#include "node/options.h"
#include "node/peer_connections.h"
#include "raft/raft.h"

namespace zatt::node {

class ReadTracker {
 public:
  // All are borrowed for its life.
  ReadTracker(const Options& options, const raft::Raft& raft, PeerConnections& connections,
              ClientQueues& clients);

  // Takes a client's read, which is reading from now on. `to_log_end`: it has to see also what the
  // leader has not committed yet.
  void batch(PendingRequest& pending, bool to_log_end, const Target& target);
  // Takes another member's question, or refuses it.
  void on_read_index(PeerConnection& peer, const codec::ReadIndex& request);
  // Asks what was taken: of the leader, and, in the answer, of the core, which takes no question
  // that was meant for another term.
  std::vector<raft::ReadRequests>& ask();

  struct Answered {
    std::optional<raft::LeaderCommit> commit;  // for the core
    std::optional<Target> rejected;            // whom to ask no more
  };
  Answered on_read_index_reply(PeerConnection& peer, const codec::ReadIndexReply& reply);
  // What the core says of its questions.
  void on_read_states(const std::vector<raft::ReadState>& reads);
  // The state machine is so far, after a step: lets go of what waits for no more than that, or for
  // no more than what is committed.
  void on_applied(Index applied);
  // Another leader or term: gives up what waits for an index of an earlier leader's log, whose end
  // the next leader's may never reach.
  void give_up_unreachable();
  // A connection is gone, and with it the answers to what was asked over it.
  void lose(LinkId link);

  std::size_t backlog() const { return asked_core_.size() + to_apply_.size() + to_commit_.size(); }

 private:
  // Reads that share one question to the leader.
  struct Group {
    std::vector<RequestId> requests{};  // ours; or
    LinkId link = LinkId::none;         // a peer's question, and its number
    std::uint64_t number = 0;
    Target target{};  // the leader asked
    bool to_log_end = false;
    Index index{};  // where it is confirmed
  };
  using Waiting = std::multimap<Index, Group>;  // confirmed, by their index

  // Adds a question to those for the core.
  void ask_core(Group&& group);
  // Sends our own question to the leader.
  void ask_leader(Group&& group);
  // The leader has confirmed it at `group.index`.
  void confirm(Group&& group);
  // What it waited for has come.
  void release(const Group& group);
  void release(Waiting& waiting, Index reached);
  // It was not confirmed, which settles nothing: whoever leads by then is asked again.
  void fail(const Group& group);

  const Options& options_;
  const raft::Raft& raft_;
  PeerConnections& connections_;
  ClientQueues& clients_;
  std::vector<Group> gathered_;  // ours
  std::vector<Group> gathered_remote_;
  std::vector<raft::ReadRequests> requests_;
  std::uint64_t last_id_ = 0;
  std::deque<std::pair<std::uint64_t, Group>> asked_core_;  // by ReadRequest id, ascending
  std::map<std::pair<LinkId, std::uint64_t>, Group> asked_leader_;
  Index applied_{};
  Waiting to_apply_;   // ours
  Waiting to_commit_;  // a peer's
};

}  // namespace zatt::node
