// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/read_tracker.h"

#include <algorithm>
#include <iterator>

namespace zatt::node {

ReadTracker::ReadTracker(const Options& options, const raft::Raft& raft,
                         PeerConnections& connections, ClientQueues& clients)
    : options_(options), raft_(raft), connections_(connections), clients_(clients) {}

void ReadTracker::batch(PendingRequest& pending, bool to_log_end, const Target& target) {
  if (gathered_.empty() || gathered_.back().target != target)
    gathered_.push_back({.target = target});
  Group& question = gathered_.back();
  question.requests.push_back(pending.id);
  question.to_log_end = question.to_log_end || to_log_end;
}

void ReadTracker::on_read_index(PeerConnection& peer, const codec::ReadIndex& request) {
  if (request.number <= peer.last_number_seen) return;  // repeated or overtaken
  peer.last_number_seen = request.number;
  if (raft_.is_leader() && request.term == raft_.current_term())
    gathered_remote_.push_back({.link = peer.id,
                                .number = request.number,
                                .target = {LinkId::none, request.term},
                                .to_log_end = request.to_log_end});
  else
    fail({.link = peer.id, .number = request.number});
}

std::vector<raft::ReadRequests>& ReadTracker::ask() {
  requests_.clear();
  for (std::vector<Group>* gathered : {&gathered_remote_, &gathered_}) {
    for (Group& group : *gathered)
      group.target.link == LinkId::none ? ask_core(std::move(group)) : ask_leader(std::move(group));
    gathered->clear();
  }
  return requests_;
}

void ReadTracker::ask_core(Group&& group) {
  if (requests_.empty() || requests_.back().term != group.target.term)
    requests_.push_back({group.target.term, {}});
  requests_.back().reads.push_back({++last_id_, group.to_log_end});
  asked_core_.emplace_back(last_id_, std::move(group));
}

void ReadTracker::ask_leader(Group&& group) {
  PeerConnection* peer = connections_.find_link(group.target.link);
  if (peer == nullptr) return fail(group);
  const codec::ReadIndex request{++peer->last_number_sent, group.target.term, group.to_log_end};
  connections_.send(*peer, Priority::bulk, request);  // after the writes that it has to see
  asked_leader_[{peer->id, request.number}] = std::move(group);
}

ReadTracker::Answered ReadTracker::on_read_index_reply(PeerConnection& peer,
                                                       const codec::ReadIndexReply& reply) {
  const auto it = asked_leader_.find({peer.id, reply.number});
  if (it == asked_leader_.end()) return {};
  Group group = std::move(it->second);
  asked_leader_.erase(it);
  if (!reply.confirmed) {
    fail(group);
    return {std::nullopt, group.target};
  }
  // Of an earlier term: those before it on the same connection may have been given up already, and
  // each would wait for the other.
  if (group.target.term != raft_.current_term()) {
    fail(group);
    return {};
  }
  group.index = reply.index;
  confirm(std::move(group));
  return {raft::LeaderCommit{reply.term, reply.commit}, std::nullopt};
}

void ReadTracker::on_read_states(const std::vector<raft::ReadState>& reads) {
  for (const raft::ReadState& read : reads) {
    const auto it =
        std::lower_bound(asked_core_.begin(), asked_core_.end(), read.id,
                         [](const auto& asked, std::uint64_t id) { return asked.first < id; });
    if (it == asked_core_.end() || it->first != read.id) continue;
    Group group = std::move(it->second);
    asked_core_.erase(it);
    group.index = read.index;
    if (read.confirmed)
      confirm(std::move(group));
    else
      fail(group);
  }
}

void ReadTracker::confirm(Group&& group) {
  for (const RequestId id : group.requests)
    if (PendingRequest* pending = clients_.find_request(id)) pending->confirmed = true;
  const bool is_ours = group.link == LinkId::none;
  const Index index = group.index;
  if (index <= (is_ours ? applied_ : raft_.commit_index()))
    release(group);
  else
    (is_ours ? to_apply_ : to_commit_).emplace(index, std::move(group));
}

void ReadTracker::on_applied(Index applied) {
  applied_ = applied;
  release(to_apply_, applied);
  release(to_commit_, raft_.commit_index());
}

void ReadTracker::release(Waiting& waiting, Index reached) {
  while (!waiting.empty() && waiting.begin()->first <= reached) {
    const Group group = std::move(waiting.begin()->second);
    waiting.erase(waiting.begin());
    release(group);
  }
}

void ReadTracker::release(const Group& group) {
  if (PeerConnection* peer = connections_.find_link(group.link))
    connections_.send(*peer, Priority::bulk,
                      codec::ReadIndexReply{group.number, true, raft_.current_term(), group.index,
                                            raft_.commit_index()});
  for (const RequestId id : group.requests)
    if (PendingRequest* pending = clients_.find_request(id)) clients_.set_readable(*pending);
}

void ReadTracker::fail(const Group& group) {
  if (PeerConnection* peer = connections_.find_link(group.link))
    connections_.send(*peer, Priority::bulk,
                      codec::ReadIndexReply{group.number, false, {}, {}, {}});
  for (const RequestId id : group.requests) {
    hit(options_.instrumentation, CoveragePoint::read_asked_again);
    clients_.return_to_waiting(id);
  }
}

void ReadTracker::give_up_unreachable() {
  for (Waiting* waiting : {&to_apply_, &to_commit_})
    while (!waiting->empty() && waiting->rbegin()->first > raft_.commit_index()) {
      const auto last = std::prev(waiting->end());
      const Group group = std::move(last->second);
      waiting->erase(last);
      fail(group);
    }
}

void ReadTracker::lose(LinkId link) {
  while (true) {
    const auto it = asked_leader_.lower_bound({link, 0});
    if (it == asked_leader_.end() || it->first.first != link) return;
    const Group lost = std::move(it->second);
    asked_leader_.erase(it);
    fail(lost);
  }
}

}  // namespace zatt::node
