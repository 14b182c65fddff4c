// SPDX-License-Identifier: AGPL-3.0-or-later
// The clients of this node: their requests in order, each until its answer has left.
//
// Replies leave in request order. Requests of one client take effect in the order sent, which is
// what decides here when the next may be handed on (docs/design.md, "Order"): a write waits for the
// answers of the reads before it; a read behind a write that is not settled asks for the end of the
// leader's log; and nothing goes to another leader or term while something handed to an earlier one
// can still be answered.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/instrumentation.h"
#include "codec/request.h"
#include "codec/response.h"
#include "node/env.h"

namespace zatt::node {

using Token = std::uint64_t;  // one request; never used twice

// Whom a request was handed to: ourselves as leader (link 0) or a leader behind a link.
struct Target {
  LinkId link = 0;
  Term term{};
  friend bool operator==(const Target&, const Target&) = default;
};

struct PendingRequest {
  enum class State : std::uint8_t { waiting, writing, reading, done };
  Token token = 0;
  ClientId client = 0;
  State state = State::waiting;
  bool confirmed = false;  // reading: the leader has named the index that it has to see
  bool readable = false;   // reading: our own state holds what it has to see
  codec::Request request;
  std::uint64_t deadline_us = 0;
  std::uint64_t bytes = 0;   // what it counts for in the bounds
  codec::Response response;  // done
};

// The command that it wants carried out; null where it wants none.
std::string* command_of(codec::Request& request);
inline bool is_write(const PendingRequest& pending) {
  const codec::Operation& operation = pending.request.operation;
  return std::holds_alternative<codec::Write>(operation) ||
         std::holds_alternative<codec::Proposal>(operation);
}
// Whether it may need room on a disk that is full.
bool grows(const PendingRequest& pending);
bool is_stale_read(const codec::Request& request);

struct ClientQueue {
  ClientId id = 0;
  std::list<PendingRequest> queue;
  std::uint32_t waiting = 0, writing = 0, reading = 0;  // how many of the queue
  std::uint32_t stale = 0;                              // of those that are reading
  Target target;                                        // of the others that are, and of writes
  bool unsettled = false;        // a write's fate is unknown, and no later read has settled it
  bool ended = false;            // it will send no more
  bool paused = false;           // its requests are not wanted now
  std::uint64_t bytes = 0;       // of the requests in the queue
  std::uint64_t kept_bytes = 0;  // of responses that have not left the queue

  // Whether somebody has been asked for one that is not answered.
  bool has_targeted() const { return writing + reading > stale; }
};

// So many bytes of responses may wait for one client before its reads are left unanswered until it
// has read: a request is small, and what it asks for can be large.
inline constexpr std::uint64_t max_unread_bytes = 1 << 20;

class ClientQueues {
 public:
  ClientQueues(Env& env, Instrumentation* instrumentation)
      : env_(env), instrumentation_(instrumentation) {}

  void open(ClientId id);
  void close(ClientId id);  // it is gone: what it asked for is nobody's any more
  void end(ClientId id);
  ClientQueue* find(ClientId id);
  PendingRequest* find_token(Token token);

  // Queues a request, to be answered within its time from now on.
  PendingRequest& add(ClientQueue& client, codec::Request request);
  void set_state(PendingRequest& pending, PendingRequest::State state);
  // Answers it. The response leaves after those before it: see take_dirty().
  void finish(PendingRequest& pending, codec::Response response);
  void finish_error(PendingRequest& pending, codec::ErrorCode code, std::string_view message) {
    finish(pending, codec::Failure{code, std::string(message)});
  }
  // What was handed to somebody is in nobody's hands again. Nothing happens where it is answered.
  void return_to_waiting(Token token);
  // What waits, and what returns to waiting from now on, is refused: the node is stopping.
  void refuse_waiting();
  bool refuses_waiting() const { return stopping_; }

  // Clients with requests that wait to be handed on, oldest client first.
  const std::set<ClientId>& waiting() const { return waiting_; }
  // That they may be handed on now: somebody else leads, or what stood before them is answered.
  void wake_waiting() { woken_ = true; }
  bool is_woken() const { return woken_; }
  bool take_wake() { return std::exchange(woken_, false); }

  // Our own state holds what this read has to see: it is answered as it leaves.
  void set_readable(PendingRequest& pending);
  // Clients with a response that may be able to leave, or an end to be seen to.
  void mark_dirty(ClientId id) { dirty_.insert(id); }
  std::set<ClientId> take_dirty() { return std::exchange(dirty_, {}); }
  std::size_t dirty() const { return dirty_.size(); }
  // Its first request has been responded to.
  void remove_first(ClientQueue& client);
  // What has left makes room: lets its next requests come, or closes it where it has ended.
  void update_pause(ClientQueue& client);
  // Whether a response may be made for this client now: it reads.
  bool has_room(const ClientQueue& client) {
    return env_.unread_bytes(client.id) < max_unread_bytes;
  }

  // Brings its deadline forward.
  void shorten_deadline(PendingRequest& pending, std::uint64_t deadline_us);
  // Requests whose deadline has passed; scanned only when the earliest one has.
  std::vector<Token> expired(std::uint64_t now_us);
  std::uint64_t next_deadline_us() const { return next_deadline_us_; }
  void for_each(const std::function<void(PendingRequest&)>& visit);

  std::size_t pending() const { return tokens_.size(); }  // not answered
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint32_t& count_of(ClientQueue& client, PendingRequest::State state);
  void pause_if_full(ClientQueue& client);

  Env& env_;
  Instrumentation* instrumentation_;
  std::unordered_map<ClientId, ClientQueue> clients_;  // looked up, never walked
  std::unordered_map<Token, PendingRequest*> tokens_;  // looked up, never walked
  std::set<ClientId> active_;                          // with a queue
  std::set<ClientId> waiting_;
  std::set<ClientId> dirty_;
  bool woken_ = false;
  bool stopping_ = false;
  Token last_token_ = 0;
  std::uint64_t next_deadline_us_ = never_us;
  std::uint64_t bytes_ = 0;
};

}  // namespace zatt::node
