// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads: an index asked of who leads, waited for, and answered from our own store.
//
// What is asked in one turn is one question. A leader asks its core; a follower asks the leader,
// and learns with the answer how far it may apply.
#include <iterator>
#include <utility>

#include "node/replica.h"

namespace zatt::node {

void Replica::batch_read(PendingRequest& pending, bool to_log_end, const Target& target) {
  if (!gathered_reads_.tokens.empty() && gathered_target_ != target) ask_for_reads();
  gathered_target_ = target;
  gathered_to_log_end_ = gathered_to_log_end_ || to_log_end;
  gathered_reads_.tokens.push_back(pending.token);
}

void Replica::ask_for_reads() {
  raft::ReadRequests requests;
  for (const RemoteRead& read : std::exchange(gathered_remote_reads_, {})) {
    requests.reads.push_back({++last_read_id_, read.to_log_end});
    asked_core_[last_read_id_] = {{}, read.link, read.number, {}};
  }
  if (!gathered_reads_.tokens.empty()) {
    ReadGroup group = std::exchange(gathered_reads_, {});
    const bool to_log_end = std::exchange(gathered_to_log_end_, false);
    if (gathered_target_.link == 0) {
      requests.reads.push_back({++last_read_id_, to_log_end});
      asked_core_[last_read_id_] = std::move(group);
    } else if (PeerConnection* link = links_.find_link(gathered_target_.link)) {
      codec::ReadIndex request{++link->last_number_sent, gathered_target_.term, to_log_end};
      links_.send(*link, Priority::bulk, request);  // behind the writes it has to see
      group.term = request.term;
      asked_peer_[{link->id, request.number}] = std::move(group);
    } else {
      fail(group);
    }
  }
  if (!requests.reads.empty()) drive(std::move(requests));
}

void Replica::on_message(PeerConnection& link, const codec::ReadIndex& request) {
  if (request.number <= link.last_number_seen) return;  // repeated or overtaken
  link.last_number_seen = request.number;
  if (raft_->is_leader() && request.term == raft_->current_term())
    gathered_remote_reads_.push_back({link.id, request.number, request.to_log_end});
  else
    fail({{}, link.id, request.number, {}});
}

void Replica::on_message(PeerConnection& link, const codec::ReadIndexReply& reply) {
  const auto it = asked_peer_.find({link.id, reply.number});
  if (it == asked_peer_.end()) return;
  ReadGroup group = std::move(it->second);
  asked_peer_.erase(it);
  if (!reply.confirmed) {
    rejected_target_ = {link.id, group.term};
    fail(group);
    return;
  }
  // Of an earlier term: those before it on the same connection may have been given up already, and
  // each would wait for the other.
  if (group.term != raft_->current_term()) {
    fail(group);
    return;
  }
  group.index = reply.index;
  drive(raft::LeaderCommit{reply.term, reply.commit});
  wait_for_apply(std::move(group));
}

void Replica::on_read_states(const std::vector<raft::ReadState>& reads) {
  for (const raft::ReadState& read : reads) {
    const auto it = asked_core_.find(read.id);
    if (it == asked_core_.end()) continue;
    ReadGroup group = std::move(it->second);
    asked_core_.erase(it);
    group.index = read.index;
    if (read.confirmed)
      wait_for_apply(std::move(group));
    else
      fail(group);
  }
}

void Replica::wait_for_apply(ReadGroup group) {
  const Index index = group.index;
  if (index > applied_)
    for (const Token token : group.tokens)
      if (PendingRequest* pending = clients_.find_token(token)) pending->confirmed = true;
  confirmed_.emplace(index, std::move(group));
  answer_reads();
}

void Replica::answer_reads() {
  while (!confirmed_.empty() && confirmed_.begin()->first <= applied_) {
    const ReadGroup group = std::move(confirmed_.begin()->second);
    confirmed_.erase(confirmed_.begin());
    if (PeerConnection* link = links_.find_link(group.link))
      links_.send(*link, Priority::bulk,
                  codec::ReadIndexReply{group.number, true, raft_->current_term(), group.index,
                                        raft_->commit_index()});
    finish_reads(group.tokens);
  }
}

void Replica::finish_reads(const std::vector<Token>& readable) {
  for (const Token token : readable)
    if (PendingRequest* pending = clients_.find_token(token)) pending->readable = true;
  for (const Token token : readable)
    if (PendingRequest* pending = clients_.find_token(token))
      finish_readable(*clients_.find(pending->client));
}

void Replica::on_client_room(ClientId id) {
  if (ClientQueue* client = clients_.find(id); client != nullptr && !stopped_)
    finish_readable(*client);
}

// In the order sent: a later read must not show an earlier state. And only as fast as its client
// reads: what waits here is small, the answers may be large.
// Answers behind one that is not there yet take room, and would never leave were that one to wait
// for room: up to it only what is ahead of it counts. Whether there are new answers.
bool Replica::finish_readable(ClientQueue& client) {
  bool is_next_to_leave = true;
  bool any = false;
  std::uint64_t ahead = 0;  // bytes of answers that leave before it
  for (PendingRequest& pending : client.queue) {
    if (pending.state == PendingRequest::State::waiting) return any;
    if (pending.state == PendingRequest::State::writing) is_next_to_leave = false;
    if (pending.state == PendingRequest::State::done) ahead += pending.answer.text.size();
    if (pending.state != PendingRequest::State::reading) continue;
    if (!pending.readable) return any;
    if (is_next_to_leave ? !clients_.has_room_behind(client, ahead) : !clients_.has_room(client)) {
      hit(CoveragePoint::reply_held_back);
      held_back_.insert(client.id);
      return any;
    }
    finish_read(pending, false);
    ahead += pending.answer.text.size();
    any = true;
  }
  return any;
}

// Reads that had no room for their answer. Whether there are new answers to send.
bool Replica::answer_held_back() {
  bool any = false;
  const std::set<ClientId> held_back = std::exchange(held_back_, {});
  for (const ClientId id : held_back) {
    ClientQueue* client = clients_.find(id);
    if (client == nullptr) continue;
    any = finish_readable(*client) || any;
  }
  return any;
}

void Replica::finish_read(PendingRequest& pending, bool stale) {
  const codec::Request& request = pending.request;
  std::string line;
  if (pending.kind == PendingRequest::Kind::barrier)
    line.clear();  // that it is answered says all
  else if (request.op == codec::RequestOp::get)
    codec::write_get(line, request.id, store_->get(request.key), stale);
  else if (request.op == codec::RequestOp::count)
    codec::write_count(line, request.id, store_->count(request.prefix), store_->rev(), stale);
  else
    codec::write_scan(
        line, request.id,
        store_->scan(request.prefix, request.after ? std::optional<std::string_view>(*request.after)
                                                   : std::nullopt),
        request.limit, request.keys_only, store_->rev(), stale);
  // It has seen every write before it, or they will never be.
  if (!stale) clients_.find(pending.client)->unsettled = false;
  clients_.finish(pending, std::move(line));
  retry_waiting_ = retry_waiting_ || !clients_.waiting().empty();
}

// The question was not confirmed, which settles nothing: ask again whoever leads by then.
void Replica::fail(const ReadGroup& group) {
  if (PeerConnection* link = links_.find_link(group.link))
    links_.send(*link, Priority::bulk, codec::ReadIndexReply{group.number, false, {}, {}, {}});
  for (const Token token : group.tokens) {
    hit(CoveragePoint::read_asked_again);
    back_to_waiting(token);
  }
}

// Of an earlier leader's log, whose end the next leader's may never reach.
void Replica::give_up_unreachable_reads() {
  while (!confirmed_.empty() && confirmed_.rbegin()->first > raft_->commit_index()) {
    const auto last = std::prev(confirmed_.end());
    const ReadGroup group = std::move(last->second);
    confirmed_.erase(last);
    fail(group);
  }
}

void Replica::lose_reads(LinkId link) {
  while (true) {
    const auto it = asked_peer_.lower_bound({link, 0});
    if (it == asked_peer_.end() || it->first.first != link) return;
    const ReadGroup lost = std::move(it->second);
    asked_peer_.erase(it);
    fail(lost);
  }
}

}  // namespace zatt::node
