// SPDX-License-Identifier: AGPL-3.0-or-later
// Writes on their way: proposed here, forwarded to who leads, and what became of them.
//
// Three outcomes only. "Done": the state machine applied it. "Failed": it was never handed on, was
// refused before it was proposed, or another entry was committed in its place. All else is unknown.
#include <utility>

#include "base/assert.h"
#include "node/replica.h"

namespace zatt::node {

using codec::ErrorCode;
using Forwarded = codec::ForwardReply::What;

namespace {

constexpr std::size_t propose_bytes = 1 << 20;

std::string reply_line(const codec::Request& request, std::string_view result) {
  const auto reply = kv::decode_reply(result);
  std::string line;
  if (!reply)
    codec::write_error(line, request.id, ErrorCode::outcome_unknown,
                       "the leader's answer cannot be read");
  else if (request.op == codec::RequestOp::set)
    codec::write_set(line, request.id, *reply);
  else if (request.op == codec::RequestOp::del)
    codec::write_delete(line, request.id, *reply);
  else
    codec::write_incr(line, request.id, *reply);
  return line;
}

}  // namespace

void Replica::batch_write(PendingRequest& pending, const Target& target) {
  if (target.link == 0) {
    gathered_.push_back({{pending.token, 0, 0}, target.term, std::move(pending.request.command)});
    return;
  }
  PeerConnection* link = links_.find_link(target.link);
  ZATT_ASSERT(link != nullptr);
  codec::Forward forward;
  forward.number = ++link->last_number_sent;
  forward.term = target.term;
  forward.grows = grows(pending);
  forward.command = pending.request.command;
  forwards_[link->id].by_number[forward.number] = pending.token;
  links_.send(*link, Priority::bulk, forward);
}

// In pieces, each a write of its own: what the disk has kept of a backlog counts, and what a
// follower is sent of it goes out, before the last of it is written.
void Replica::propose_gathered() {
  if (gathered_.empty()) return;
  std::vector<Gathered> gathered = std::exchange(gathered_, {});
  raft::Propose propose;
  std::vector<Origin> origins;
  std::size_t bytes = 0;
  for (Gathered& write : gathered) {
    if (raft_->is_leader() && write.term == raft_->current_term()) {
      bytes += write.command.size();
      propose.proposals.push_back({EntryKind::command, std::move(write.command)});
      origins.push_back(write.origin);
      if (bytes < propose_bytes) continue;
      this->propose(std::exchange(propose, {}), std::exchange(origins, {}));
      bytes = 0;
    } else if (PendingRequest* pending = clients_.find_token(write.origin.token)) {
      pending->request.command = std::move(write.command);
      back_to_waiting(write.origin.token);
    } else {
      answer_forward(write.origin, Forwarded::not_taken, {});
    }
  }
  if (!origins.empty()) this->propose(std::move(propose), origins);
}

void Replica::propose(raft::Propose propose, const std::vector<Origin>& origins) {
  const raft::Output output = step(std::move(propose));
  ZATT_ASSERT(output.proposed > Index{0});
  for (std::size_t i = 0; i < origins.size(); ++i)
    waiters_.emplace(output.proposed + i, Waiter{raft_->current_term(), origins[i]});
  carry_out(output);
}

void Replica::on_message(PeerConnection& link, const codec::Forward& forward) {
  if (forward.number <= link.last_number_seen) return;  // repeated or overtaken
  link.last_number_seen = forward.number;
  const Origin origin{0, link.id, forward.number};
  if (!raft_->is_leader() || forward.term != raft_->current_term())
    answer_forward(origin, Forwarded::not_taken, {});
  else if (has_too_many_writes())
    answer_forward(origin, Forwarded::overloaded, {});
  else if (has_no_room_for(forward.grows))
    answer_forward(origin, Forwarded::storage_full, {});
  else
    gathered_.push_back({origin, forward.term, std::string(forward.command)});
}

void Replica::answer_forward(const Origin& origin, Forwarded what, std::string_view result,
                             Index index) {
  PeerConnection* link = links_.find_link(origin.link);
  if (link != nullptr)
    links_.send(*link, Priority::bulk, codec::ForwardReply{origin.number, what, result, index});
}

// What the log says about the proposals at this index.
void Replica::complete(Index index, Term term, std::string_view result) {
  const auto [first, last] = waiters_.equal_range(index);
  for (auto it = first; it != last; ++it) {
    const auto& [waiter_term, origin] = it->second;
    const bool ours = waiter_term == term;
    if (!ours)
      finish_replaced(origin);
    else if (origin.link != 0)
      answer_forward(origin, Forwarded::result, result, index);
    else if (PendingRequest* pending = clients_.find_token(origin.token))
      finish_write(*pending, index, result);
  }
  waiters_.erase(first, last);
  if (term > settled_term_) give_up_replaced(term);
  settled_term_ = term;
}

// Terms do not fall along a log: behind a committed entry of this term, none of an earlier one is
// ever committed.
void Replica::give_up_replaced(Term term) {
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if (it->second.term >= term) {
      ++it;
      continue;
    }
    finish_replaced(it->second.origin);
    it = waiters_.erase(it);
  }
}

void Replica::finish_replaced(const Origin& origin) {
  hit(CoveragePoint::proposal_replaced);
  if (origin.link != 0)
    answer_forward(origin, Forwarded::replaced, {});
  else if (PendingRequest* pending = clients_.find_token(origin.token))
    finish_error(*pending, ErrorCode::no_leader,
                 "the leader changed before the write was stored; nothing was written");
}

void Replica::finish_write(PendingRequest& pending, Index index, std::string_view result) {
  if (pending.kind == PendingRequest::Kind::proposal)
    clients_.finish(pending, Answer{{}, std::string(result), index});
  else
    clients_.finish(pending, reply_line(pending.request, result));
  retry_waiting_ = retry_waiting_ || !clients_.waiting().empty();
}

void Replica::on_message(PeerConnection& link, const codec::ForwardReply& reply) {
  auto& by_number = forwards_[link.id].by_number;
  const auto it = by_number.find(reply.number);
  if (it == by_number.end()) return;
  const Token token = it->second;
  by_number.erase(it);
  PendingRequest* pending = clients_.find_token(token);
  if (pending == nullptr) return;
  switch (reply.what) {
    case Forwarded::result:
      finish_write(*pending, reply.index, reply.result);
      return;
    case Forwarded::not_taken:
      hit(CoveragePoint::forward_not_taken);
      rejected_target_ = clients_.find(pending->client)->target;
      back_to_waiting(token);
      return;
    case Forwarded::overloaded:
      finish_error(*pending, ErrorCode::overloaded, "too many writes wait at the leader already");
      return;
    case Forwarded::storage_full:
      finish_error(*pending, ErrorCode::storage_full, no_room_text);
      return;
    case Forwarded::replaced:
      hit(CoveragePoint::forward_replaced);
      finish_error(*pending, ErrorCode::no_leader,
                   "the leader changed before the write was stored; nothing was written");
      return;
  }
}

void Replica::lose_forwards(LinkId link) {
  const auto it = forwards_.find(link);
  if (it == forwards_.end()) return;
  const ForwardsOut lost = std::move(it->second);
  forwards_.erase(it);
  for (const auto& [number, token] : lost.by_number) {
    PendingRequest* pending = clients_.find_token(token);
    if (pending == nullptr) continue;
    hit(CoveragePoint::forward_lost);
    clients_.find(pending->client)->unsettled = true;
    finish_error(*pending, ErrorCode::outcome_unknown,
                 "the connection to the leader was lost while it had the write: it may take effect "
                 "now, later or never; a read on this connection settles it");
  }
}

}  // namespace zatt::node
