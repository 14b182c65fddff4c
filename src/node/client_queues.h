// SPDX-License-Identifier: AGPL-3.0-or-later
// The clients of this node: their requests in order, each until its answer has left.
//
// Replies leave in request order. Requests of one client take effect in the order sent, which is
// what decides here when the next may be handed on (docs/design.md, "Order"): a write waits for the
// answers of the reads before it; a read behind a write that is not settled asks for the end of the
// leader's log; and nothing goes to another leader or term while something handed to an earlier one
// can still be answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/buffer_shares.h"
#include "node/deadlines.h"
#include "node/env.h"
#include "node/options.h"
#include "node/pending_request.h"
#include "node/request_table.h"
#include "node/service.h"

namespace zatt::node {

// So many bytes of responses may wait for one client before its reads are left unanswered until it
// has read: a request is small, and what it asks for can be large.
inline constexpr std::uint64_t max_unread_bytes = 1 << 20;

class ClientQueues {
 public:
  // All are borrowed for its life.
  ClientQueues(const Options& options, Env& env, const Service& service)
      : options_(options), env_(env), service_(service) {}

  void open(ClientId id);
  void close(ClientId id);  // it is gone: what it asked for is nobody's any more
  void end(ClientId id);
  ClientQueue* find(ClientId id);
  PendingRequest* find_request(RequestId id) const { return requests_.find(id); }

  // Queues a request, to be answered within its time from now on.
  PendingRequest& add(ClientQueue& client, codec::Request request);
  void set_state(PendingRequest& pending, PendingRequest::State state);
  // Answers it. The response leaves after those before it: see visit_dirty().
  void finish(PendingRequest& pending, codec::Response response);
  // The same with what the state machine said. Where that is large, and only says why nothing was
  // written, and there is no room for it, the answer is that there is none.
  void finish_applied(PendingRequest& pending, std::string reply, Index index);
  void finish_error(PendingRequest& pending, codec::ErrorCode code, std::string_view message) {
    finish(pending, codec::Failure{code, std::string(message)});
  }
  // What was handed to somebody is in nobody's hands again. Nothing happens where it is answered.
  void return_to_waiting(RequestId id);
  // What waits, and what returns to waiting from now on, is refused: the node is stopping.
  void refuse_waiting();
  bool refuses_waiting() const { return stopping_; }

  // Clients with requests that wait to be handed on.
  void list_waiting(ClientQueue& client);
  // That they may be handed on now: all, because somebody else leads; or one client's, because what
  // stood before them is answered.
  void wake_waiting() { all_woken_ = true; }
  void wake_waiting(ClientQueue& client);
  bool is_woken() const { return all_woken_ || !woken_.empty(); }
  // Visits, once, those who were woken and have requests that wait.
  template <class Visit>
  void visit_woken(const Visit& visit);

  // Our own state holds what this read has to see: it is answered as it leaves.
  void set_readable(PendingRequest& pending);
  // Clients with a response that may be able to leave, or an end to be seen to.
  void mark_dirty(ClientQueue& client);
  void mark_dirty(ClientId id);
  std::size_t dirty() const { return dirty_.size(); }
  template <class Visit>
  void visit_dirty(const Visit& visit);
  // Its first request has been responded to.
  void remove_first(ClientQueue& client);
  // What has left makes room: lets its next requests come, or closes it where it has ended.
  void update_pause(ClientQueue& client);
  // Whether a response of so many bytes may be made for this client: of all that is held, it has no
  // more than is free. One that is larger than all there is may when nothing is held.
  bool has_room(const ClientQueue& client, const Unread& unread, std::uint64_t bytes) const;
  // Whether the requests that wait take all that they may: more is refused.
  bool has_too_many() const { return bytes_ > shares().requests; }

  // Of requests that are not answered.
  Deadlines& deadlines() { return deadlines_; }
  const Deadlines& deadlines() const { return deadlines_; }
  std::size_t pending() const { return requests_.size(); }
  std::uint64_t bytes() const { return bytes_; }  // of all requests
  BufferShares shares() const { return buffer_shares(options_.max_buffer_bytes, clients_.size()); }

 private:
  std::uint32_t& count_of(ClientQueue& client, PendingRequest::State state);
  // How many bytes of requests one client may have waiting.
  std::uint64_t most_for_one() const;
  void pause_if_full(ClientQueue& client);
  // Drops those from waiting_ who wait no more.
  void prune_waiting();

  const Options& options_;
  Env& env_;
  const Service& service_;
  std::unordered_map<ClientId, ClientQueue> clients_;  // looked up, never walked
  RequestTable requests_;
  Deadlines deadlines_;
  std::vector<ClientId> waiting_;  // each once, and some who wait no more
  std::vector<ClientId> woken_, dirty_;
  std::vector<ClientId> visiting_woken_, visiting_dirty_;  // empty but for their room
  bool all_woken_ = false;
  bool stopping_ = false;
  std::uint64_t bytes_ = 0;
  std::uint64_t kept_bytes_ = 0;  // of all responses that have not left
};

template <class Visit>
void ClientQueues::visit_woken(const Visit& visit) {
  if (std::exchange(all_woken_, false)) {
    prune_waiting();
    for (const ClientId id : waiting_) wake_waiting(*find(id));
  }
  visiting_woken_.swap(woken_);
  for (const ClientId id : visiting_woken_) {
    ClientQueue* client = find(id);
    if (client == nullptr) continue;
    client->is_woken = false;
    if (client->waiting > 0) visit(*client);
  }
  visiting_woken_.clear();
}

template <class Visit>
void ClientQueues::visit_dirty(const Visit& visit) {
  visiting_dirty_.swap(dirty_);
  for (const ClientId id : visiting_dirty_) {
    ClientQueue* client = find(id);
    if (client == nullptr) continue;
    client->is_dirty = false;
    visit(*client);
  }
  visiting_dirty_.clear();
}

}  // namespace zatt::node
