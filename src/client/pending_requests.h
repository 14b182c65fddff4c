// SPDX-License-Identifier: AGPL-3.0-or-later
// The requests that wait for an answer: those not sent yet, and those sent on the connection that
// there is, with its bytes; and what became of the others.
//
// Each request that is added is done once: answered, or finished with a reason. Requests are sent
// in the order asked. What is asked again takes its place among those not sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/types.h"
#include "client/reply.h"
#include "client/request.h"
#include "client/send_buffer.h"

namespace zatt::client {

using Token = std::uint64_t;  // one request; never used twice

struct PendingRequest {
  Token token = 0;  // 0: the client's own question for the status
  Op op = Op::status;
  std::string text;  // of the line, but for its end
  std::uint64_t deadline_us = never_us;
  bool only_reads = true;
  bool needs_leader = false;
  std::uint32_t attempts = 0;
  std::uint64_t not_before_us = 0;  // in the queue
  std::uint64_t sent_on = 0;        // the connection's number
  std::uint64_t sent_at_byte = 0;   // of the connection: where its line begins
  std::optional<Reply> refusal;     // why it is asked again
};

struct Done {
  Token token = 0;
  Reply reply;
  std::uint64_t connection = 0;  // the number of the last it was sent on; 0: it never was
};

class PendingRequests {
 public:
  // --- those not sent ---
  bool has_space_for(std::size_t bytes) const;
  // Behind all others; returns the token that it gets.
  Token add(PendingRequest request);
  // The first of them, or null. Valid until the next call that is not const.
  const PendingRequest* front() const { return queue_.empty() ? nullptr : &queue_.front(); }
  // Everybody's answer that is not there yet.
  std::size_t size() const { return queue_.size() + asked_; }
  // How many of them were sent.
  std::size_t sent() const { return asked_; }
  std::uint64_t first_deadline_us() const;

  // --- the connection ---
  // A new one: none of the requests is on its way, and no byte is.
  void begin_connection(std::uint64_t number);
  void send_front(std::uint64_t now_us);
  // The client's own question, which is nobody's request.
  void send_status_question();
  const SendBuffer& out() const { return out_; }
  void on_sent(std::size_t bytes) { out_.on_sent(bytes); }

  // Takes out the one that the next reply of the connection answers. Nothing: none was asked.
  std::optional<PendingRequest> take_answered();
  // Whether something later was sent that `request`, taken out, would change places with if it were
  // sent again: a write changes places with anything, a read with a write.
  bool is_overtaken(const PendingRequest& request) const;
  // One that was taken out, and certainly did not happen.
  void ask_again(PendingRequest request) { put_back(std::move(request)); }

  // --- their ends ---
  void finish(const PendingRequest& request, Reply reply);
  // The connection ended. Reads are asked again, unless a write that was asked after them has been
  // sent: they might see it. The outcome of a write is unknown.
  void take_back_sent(std::string_view why);
  // Those whose time is up; `otherwise` is the answer where nothing happened and no server said
  // why. Returns whether the server owes an answer to one of them.
  bool expire(std::uint64_t now_us, const std::string& server, const Reply& otherwise);
  // Those not sent: nothing happened, and `otherwise` is as in expire.
  void give_up_unsent(const Reply& otherwise);
  // All of them, as canceled or unknown.
  void cancel();
  std::optional<Done> next_done();

 private:
  // The end of its line says how long the server may try.
  void send(PendingRequest request, std::uint64_t now_us);
  // Whether the server may have seen some of it: only of one that is in sent_.
  bool was_sent(const PendingRequest& request) const;
  // At its place in the queue.
  void put_back(PendingRequest request);
  void finish(const PendingRequest& request, Outcome outcome, std::string message);
  void finish_unsent(const PendingRequest& request, const Reply& otherwise);

  Token last_token_ = 0;
  std::deque<PendingRequest> queue_;  // not sent; in order
  std::deque<PendingRequest> sent_;   // to this connection, in order
  std::uint64_t connection_ = 0;      // its number
  SendBuffer out_;                    // to it
  std::size_t asked_ = 0;             // of sent_, without the client's own questions
  std::size_t waiting_bytes_ = 0;     // of both
  std::multiset<std::uint64_t> deadlines_;
  std::deque<Done> done_;
};

// A reply that no server gave.
Reply reply_of(Outcome outcome, std::string message);

}  // namespace zatt::client
