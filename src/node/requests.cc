// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's request until it is with the parts, and what gathers in a turn until it is flushed.
#include <utility>

#include "node/node.h"

namespace zatt::node {

using codec::ErrorCode;

void Node::on_request(ClientId id, codec::Request request) {
  ClientQueue* client = clients_.find(id);
  if (client == nullptr || phase_ == Phase::stopped) return;
  PendingRequest& pending = clients_.add(*client, std::move(request));
  if (auto response = immediate_response(pending.request.operation))
    clients_.finish(pending, std::move(*response));
  else
    dispatcher_.admit(*client, pending);
}

std::optional<codec::Response> Node::immediate_response(const codec::Operation& operation) const {
  if (std::holds_alternative<codec::Ping>(operation)) return codec::Done{};
  if (std::holds_alternative<codec::GetStatus>(operation))
    return std::make_unique<const codec::NodeStatus>(
        status_.answer(applier_.last_applied(), service_.keys()));
  if (const auto* malformed = std::get_if<codec::Malformed>(&operation)) return malformed->failure;
  if (const std::string_view refusal = service_.refusal_of(operation); !refusal.empty())
    return codec::Failure{ErrorCode::bad_request, std::string(refusal)};
  const auto* proposal = std::get_if<codec::Proposal>(&operation);
  if (proposal == nullptr || proposal->command.size() <= options_.max_request_bytes)
    return std::nullopt;
  return codec::too_large(options_.max_request_bytes);
}

// Until nothing moves: alone, a read is answered as soon as it is asked, and a write may wait for
// it.
void Node::flush() {
  if (phase_ == Phase::stopped) return;
  do {
    do {
      dispatcher_.dispatch_waiting();
      propose();
      if (clients_.is_woken()) continue;
      if (writes_.has_proposals()) break;  // a read is asked after the writes before it
      for (raft::ReadRequests& reads : reads_.ask()) post(std::move(reads));
    } while (clients_.is_woken() || writes_.has_proposals());
    persister_.submit();
    responder_.flush();
  } while (clients_.is_woken());
  if (phase_ == Phase::draining || phase_ == Phase::transferring) go_on_stopping();
}

// In pieces, as many as the turn has time for: at least one.
void Node::propose() {
  if (writes_.has_proposals() && writes_.must_wait(env_.now_us())) return;
  while (auto piece = writes_.next_proposal()) {
    post(std::move(*piece));
    if (env_.turn_is_over()) return;
  }
}

// Once all is answered; the last batch says where the log ends.
void Node::go_on_stopping() {
  if (clients_.pending() > 0 || clients_.dirty() > 0) return;
  if (phase_ == Phase::draining) {
    phase_ = Phase::transferring;
    post(raft::TransferLeadership{raft_->current_term()});
  }
  if (phase_ == Phase::transferring && writes_.proposed() == 0) {
    phase_ = Phase::closing;
    persister_.stop();
  }
  persister_.submit();
}

}  // namespace zatt::node
