// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's request until it is with the parts, and what gathers in a turn until it is flushed.
#include <utility>

#include "codec/reply.h"
#include "node/node.h"

namespace zatt::node {
namespace {

using Kind = PendingRequest::Kind;
using codec::ErrorCode;
using codec::RequestOp;

constexpr std::string_view no_machine =
    "this cluster replicates zatt's dictionary, not a state machine of its own";

}  // namespace

void Node::on_line(ClientId id, std::string_view line, bool too_long) {
  ClientQueue* client = clients_.find(id);
  if (client == nullptr || phase_ == Phase::stopped) return;
  if (too_long) return clients_.refuse(*client, {ErrorCode::too_large, too_large_text(), {}});
  auto parsed = parser_.parse(line);
  if (const auto* refusal = std::get_if<codec::Refusal>(&parsed))
    return clients_.refuse(*client, *refusal);
  take(*enqueue(id, Kind::line, std::move(std::get<codec::Request>(parsed))));
}

void Node::take(PendingRequest& pending) {
  ClientQueue& client = *clients_.find(pending.client);
  const codec::Request& request = pending.request;
  std::string line;
  if (request.op == RequestOp::ping) {
    codec::write_ping(line, request.id);
    clients_.finish(pending, std::move(line));
  } else if (request.op == RequestOp::status) {
    codec::write_status(line, request.id,
                        status_.answer(applier_.last_applied(), responder_.keys()));
    clients_.finish(pending, std::move(line));
  } else if (!responder_.has_store()) {
    clients_.finish_error(pending, ErrorCode::bad_request,
                          "this cluster replicates a state machine of its own");
  } else if (request.stale && !clients_.refuses_waiting()) {
    responder_.answer(pending, true);
    if (!clients_.has_room(client)) clients_.flush();  // whoever reads its lines may now stop
  } else {
    dispatcher_.admit(client, pending);
  }
}

void Node::on_propose(ClientId id, std::string command, std::uint32_t timeout_ms) {
  const bool too_large = command.size() > options_.max_request_bytes;
  codec::Request request;
  request.timeout_ms = timeout_ms;
  if (!too_large) request.command = std::move(command);
  take_from_host(id, Kind::proposal, std::move(request), too_large);
}

void Node::on_barrier(ClientId id, std::uint32_t timeout_ms) {
  codec::Request request;
  request.timeout_ms = timeout_ms;
  take_from_host(id, Kind::barrier, std::move(request), false);
}

void Node::take_from_host(ClientId id, Kind kind, codec::Request request, bool too_large) {
  PendingRequest* pending = enqueue(id, kind, std::move(request));
  if (pending == nullptr) return;
  if (responder_.has_store())
    clients_.finish_error(*pending, ErrorCode::bad_request, no_machine);
  else if (too_large)
    clients_.finish_error(*pending, ErrorCode::too_large, too_large_text());
  else
    dispatcher_.admit(*clients_.find(id), *pending);
}

PendingRequest* Node::enqueue(ClientId id, Kind kind, codec::Request request) {
  ClientQueue* client = clients_.find(id);
  if (client == nullptr || phase_ == Phase::stopped) return nullptr;
  const std::uint64_t deadline_us = env_.now_us() + 1000ULL * request.timeout_ms;
  return &clients_.add(*client, kind, std::move(request), deadline_us);
}

std::string Node::too_large_text() const {
  return "a request may be up to " + std::to_string(options_.max_request_bytes) +
         " bytes long here; max_request_bytes in this node's configuration raises that (to "
         "16777216)";
}

// Until nothing moves: alone, a read is answered as soon as it is asked, and a write may wait for
// it.
void Node::flush() {
  if (phase_ == Phase::stopped) return;
  do {
    do {
      dispatcher_.dispatch_waiting();
      while (auto propose = writes_.next_proposal()) post(std::move(*propose));
      if (clients_.is_woken()) continue;
      for (raft::ReadRequests& reads : reads_.ask()) post(std::move(reads));
      responder_.answer_readable();
    } while (clients_.is_woken() || writes_.has_proposals());
    submit();
    clients_.flush();
  } while (responder_.answer_readable());
}

// What has gathered for the disk; and at the end of a stop, where all is answered, the last batch.
void Node::submit() {
  const bool at_rest = clients_.pending() == 0;
  if (phase_ == Phase::draining && at_rest) {
    phase_ = Phase::transferring;
    post(raft::TransferLeadership{raft_->current_term()});
  }
  if (phase_ == Phase::transferring && at_rest && writes_.proposed() == 0) {
    phase_ = Phase::closing;
    persister_.stop();
  }
  persister_.submit();
}

}  // namespace zatt::node
