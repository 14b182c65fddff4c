// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/pending_requests.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace zatt::client {
namespace {

constexpr std::size_t max_waiting_bytes = 64 << 20;

// A little less than what is left, so that the server's word comes before our own deadline.
std::uint32_t server_timeout_ms(std::uint64_t left_us) {
  const std::uint64_t margin_us = std::clamp<std::uint64_t>(left_us / 10, 1'000, 250'000);
  const std::uint64_t ms = left_us > margin_us ? (left_us - margin_us) / 1000 : 0;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(ms, 1, 600'000));
}

}  // namespace

Reply reply_of(Outcome outcome, std::string message) {
  Reply reply;
  reply.outcome = outcome;
  reply.message = std::move(message);
  return reply;
}

// --- those not sent ------------------------------------------------------------------------------

bool PendingRequests::has_space_for(std::size_t bytes) const {
  return waiting_bytes_ + bytes <= max_waiting_bytes;
}

Token PendingRequests::add(PendingRequest request) {
  request.token = ++last_token_;
  waiting_bytes_ += request.text.size();
  deadlines_.insert(request.deadline_us);
  queue_.push_back(std::move(request));
  return last_token_;
}

std::uint64_t PendingRequests::first_deadline_us() const {
  return deadlines_.empty() ? never_us : *deadlines_.begin();
}

void PendingRequests::put_back(PendingRequest request) {
  const auto place = std::ranges::upper_bound(queue_, request.token, {}, &PendingRequest::token);
  queue_.insert(place, std::move(request));
}

// --- the connection ------------------------------------------------------------------------------

void PendingRequests::begin_connection(std::uint64_t number) {
  ZATT_ASSERT(asked_ == 0);
  sent_.clear();
  connection_ = number;
  out_ = SendBuffer();
}

void PendingRequests::send_front(std::uint64_t now_us) {
  ZATT_ASSERT(!queue_.empty());
  PendingRequest request = std::move(queue_.front());
  queue_.pop_front();
  ++asked_;
  send(std::move(request), now_us);
}

void PendingRequests::send_status_question() {
  PendingRequest question;
  question.op = Op::line;
  question.text = "{\"op\":\"status\"}";
  send(std::move(question), 0);
}

void PendingRequests::send(PendingRequest request, std::uint64_t now_us) {
  request.sent_on = connection_;
  request.sent_at_byte = out_.queued_bytes();
  out_.bytes() += request.text;
  RequestWriter::end(out_.bytes(), request.op, server_timeout_ms(request.deadline_us - now_us));
  sent_.push_back(std::move(request));
}

bool PendingRequests::was_sent(const PendingRequest& request) const {
  return out_.has_sent_from(request.sent_at_byte);
}

std::optional<PendingRequest> PendingRequests::take_answered() {
  if (sent_.empty()) return std::nullopt;
  std::optional<PendingRequest> request = std::move(sent_.front());
  sent_.pop_front();
  if (request->token != 0) --asked_;
  return request;
}

bool PendingRequests::is_overtaken(const PendingRequest& request) const {
  return std::ranges::any_of(sent_, [&request](const PendingRequest& later) {
    return later.token != 0 && (!request.only_reads || !later.only_reads);
  });
}

// --- their ends ----------------------------------------------------------------------------------

void PendingRequests::finish(const PendingRequest& request, Reply reply) {
  waiting_bytes_ -= request.text.size();
  deadlines_.erase(deadlines_.find(request.deadline_us));
  done_.push_back({request.token, std::move(reply), request.sent_on});
}

void PendingRequests::finish(const PendingRequest& request, Outcome outcome, std::string message) {
  finish(request, reply_of(outcome, std::move(message)));
}

void PendingRequests::finish_unsent(const PendingRequest& request, const Reply& otherwise) {
  finish(request, request.refusal ? *request.refusal : otherwise);
}

void PendingRequests::take_back_sent(std::string_view why) {
  std::deque<PendingRequest> sent = std::exchange(sent_, {});
  asked_ = 0;
  Token last_write = 0;
  for (const PendingRequest& request : sent)
    if (!request.only_reads && was_sent(request)) last_write = request.token;
  for (PendingRequest& request : sent) {
    if (request.token == 0) continue;
    if (!was_sent(request)) {
      put_back(std::move(request));
    } else if (!request.only_reads) {
      finish(request, Outcome::outcome_unknown,
             "the connection ended before the write was answered: " + std::string(why));
    } else {
      Reply lost = reply_of(Outcome::unavailable,
                            "the connection ended before the answer came: " + std::string(why));
      if (request.token < last_write) {
        finish(request, std::move(lost));
      } else {
        request.refusal = std::move(lost);
        put_back(std::move(request));
      }
    }
  }
}

bool PendingRequests::expire(std::uint64_t now_us, const std::string& server,
                             const Reply& otherwise) {
  for (PendingRequest& request : std::exchange(queue_, {})) {
    if (request.deadline_us > now_us)
      queue_.push_back(std::move(request));
    else
      finish_unsent(request, otherwise);
  }
  bool owes = false;
  for (PendingRequest& request : std::exchange(sent_, {})) {
    if (request.deadline_us > now_us) {
      sent_.push_back(std::move(request));
      continue;
    }
    owes = true;
    --asked_;
    if (!was_sent(request))
      finish_unsent(request, otherwise);
    else if (request.only_reads)
      finish(request, Outcome::unavailable, server + " did not answer in time");
    else
      finish(request, Outcome::outcome_unknown,
             server + " did not answer in time: the write may take effect now, later or never");
  }
  return owes;
}

void PendingRequests::give_up_unsent(const Reply& otherwise) {
  for (const PendingRequest& request : std::exchange(queue_, {})) finish_unsent(request, otherwise);
}

void PendingRequests::cancel() {
  for (const PendingRequest& request : std::exchange(sent_, {})) {
    if (request.token == 0) continue;
    if (request.only_reads || !was_sent(request))
      finish(request, Outcome::canceled, "given up before it was answered");
    else
      finish(request, Outcome::outcome_unknown, "given up before the write was answered");
  }
  asked_ = 0;
  for (const PendingRequest& request : std::exchange(queue_, {}))
    finish(request, Outcome::canceled, "given up before it was sent");
}

std::optional<Done> PendingRequests::next_done() {
  if (done_.empty()) return std::nullopt;
  std::optional<Done> done = std::move(done_.front());
  done_.pop_front();
  return done;
}

}  // namespace zatt::client
