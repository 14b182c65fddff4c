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
  // A line, or what only this process can ask: for a command of its own machine (in
  // request.command), or until when that machine has applied all.
  enum class Kind : std::uint8_t { line, proposal, barrier };
  enum class State : std::uint8_t { waiting, writing, reading, done };
  Token token = 0;
  ClientId client = 0;
  Kind kind = Kind::line;
  State state = State::waiting;
  bool confirmed = false;  // reading: the leader has named the index that it has to see
  bool readable = false;   // reading: our own store holds what it has to see
  codec::Request request;
  std::uint64_t deadline_us = 0;
  std::uint64_t bytes = 0;  // what it counts for in the bounds
  Answer answer;            // done; a line's reply is its text
};

inline bool is_write(const PendingRequest& pending) {
  return pending.kind == PendingRequest::Kind::proposal ||
         (pending.kind == PendingRequest::Kind::line && codec::is_write(pending.request.op));
}
// Whether it may need room on a disk that is full.
inline bool grows(const PendingRequest& pending) {
  return is_write(pending) && pending.request.op != codec::RequestOp::del;
}

struct ClientQueue {
  ClientId id = 0;
  std::list<PendingRequest> queue;
  std::uint32_t waiting = 0, writing = 0, reading = 0;  // how many of the queue
  Target target;                                        // of those that are writing or reading
  bool unsettled = false;         // a write's fate is unknown, and no later read has settled it
  bool ended = false;             // it will send no more
  bool paused = false;            // its lines are not wanted now
  std::uint64_t bytes = 0;        // of the requests in the queue
  std::uint64_t reply_bytes = 0;  // of replies that have not left the queue
};

// So many bytes of replies may wait for one client before its reads are left unanswered until it
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

  // Queues a request, to be answered until deadline_us.
  PendingRequest& add(ClientQueue& client, PendingRequest::Kind kind, codec::Request request,
                      std::uint64_t deadline_us);
  void set_state(PendingRequest& pending, PendingRequest::State state);
  // Answers it. The answer leaves with the next flush(), after those before it.
  void finish(PendingRequest& pending, Answer answer);
  void finish(PendingRequest& pending, std::string reply) {
    finish(pending, Answer{{}, std::move(reply), {}});
  }
  void finish_error(PendingRequest& pending, codec::ErrorCode code, std::string_view message);
  // A line that is no request.
  void refuse(ClientQueue& client, const codec::Refusal& refusal);
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

  // Our own state holds what this read has to see.
  void set_readable(Token token);
  // Clients whose reads may be answered now: they became readable, what stood before them is
  // answered, or their client has read.
  void wake_reads(ClientId id) { answerable_.insert(id); }
  std::set<ClientId> take_answerable() { return std::exchange(answerable_, {}); }
  std::size_t answerable() const { return answerable_.size(); }

  // Brings its deadline forward.
  void shorten_deadline(PendingRequest& pending, std::uint64_t deadline_us);
  // Requests whose deadline has passed; scanned only when the earliest one has.
  std::vector<Token> expired(std::uint64_t now_us);
  std::uint64_t next_deadline_us() const { return next_deadline_us_; }
  void for_each(const std::function<void(PendingRequest&)>& visit);

  // Whether one more reply may be made for this client now.
  bool has_room(const ClientQueue& client);
  // The same, where only so many bytes of the replies that are there leave before it.
  bool has_room_after(const ClientQueue& client, std::uint64_t ahead);
  void flush();
  std::size_t pending() const { return tokens_.size(); }  // not answered
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint32_t& count_of(ClientQueue& client, PendingRequest::State state);
  void pause_if_full(ClientQueue& client);
  void emit(ClientQueue& client);

  Env& env_;
  Instrumentation* instrumentation_;
  std::unordered_map<ClientId, ClientQueue> clients_;  // looked up, never walked
  std::unordered_map<Token, PendingRequest*> tokens_;  // looked up, never walked
  std::set<ClientId> active_;                          // with a queue
  std::set<ClientId> waiting_;
  std::set<ClientId> dirty_;  // with something to emit
  std::set<ClientId> answerable_;
  bool woken_ = false;
  bool stopping_ = false;
  Token last_token_ = 0;
  std::uint64_t next_deadline_us_ = UINT64_MAX;
  std::uint64_t bytes_ = 0;
};

}  // namespace zatt::node
