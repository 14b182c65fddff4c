// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's request until its answer has left, and the queue that it stands in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "codec/request.h"
#include "codec/response.h"
#include "node/env.h"

namespace zatt::node {

enum class RequestId : std::uint64_t {};  // never used twice

// Whom a request was handed to: ourselves as leader (no link) or a leader behind a link.
struct Target {
  LinkId link = LinkId::none;
  Term term{};
  friend bool operator==(const Target&, const Target&) = default;
};

struct ClientQueue;

struct PendingRequest {
  enum class State : std::uint8_t { waiting, writing, reading, done };
  static constexpr std::size_t no_place = SIZE_MAX;
  RequestId id{};
  ClientQueue* client = nullptr;  // whose it is
  State state = State::waiting;
  bool confirmed = false;  // reading: the leader has named the index that it has to see
  bool readable = false;   // reading: our own state holds what it has to see
  codec::Request request;
  std::uint64_t deadline_us = 0;
  std::size_t deadline_place = no_place;  // of Deadlines
  std::uint64_t bytes = 0;                // what it counts for in the bounds
  codec::Response response;               // done
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
  ClientId id{};
  std::list<PendingRequest> queue;
  std::uint32_t waiting = 0, writing = 0, reading = 0;  // how many of the queue
  std::uint32_t stale = 0;                              // of those that are reading
  Target target;                                        // of the others that are, and of writes
  bool unsettled = false;  // a write's fate is unknown, and no later read has settled it
  bool ended = false;      // it will send no more
  bool paused = false;     // its requests are not wanted now
  bool is_dirty = false;   // in the lists of ClientQueues
  bool is_woken = false;
  bool is_listed = false;
  bool waits_for_room = false;   // a read of it, that others take
  bool awaits_turn = false;      // in the queue of the Dispatcher
  std::uint64_t bytes = 0;       // of the requests in the queue
  std::uint64_t kept_bytes = 0;  // of responses that have not left the queue

  // Whether somebody has been asked for one that is not answered.
  bool has_targeted() const { return writing + reading > stale; }
};

}  // namespace zatt::node
