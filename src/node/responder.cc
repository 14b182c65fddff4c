// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/responder.h"

namespace zatt::node {

void Responder::flush() {
  bool is_over = false;
  ClientQueue* unfinished = nullptr;
  clients_.visit_dirty([&](ClientQueue& client) {
    if (is_over) return clients_.mark_dirty(client);
    is_over = respond(client);
    if (is_over && !client.queue.empty()) unfinished = &client;
  });
  // After those who have not had their turn.
  if (unfinished != nullptr) clients_.mark_dirty(*unfinished);
  if (clients_.dirty() > 0)
    hit(options_.instrumentation, CoveragePoint::responses_left_for_next_turn);
}

bool Responder::respond(ClientQueue& client) {
  bool is_over = false;
  while (!client.queue.empty() && !is_over && respond_to_first(client)) {
    clients_.remove_first(client);
    is_over = env_.turn_is_over();
  }
  clients_.update_pause(client);
  return is_over;
}

bool Responder::respond_to_first(ClientQueue& client) {
  const PendingRequest& pending = client.queue.front();
  if (pending.state == PendingRequest::State::reading)
    return pending.readable && answer(client, pending);
  if (pending.state != PendingRequest::State::done) return false;
  env_.respond(client.id, pending.request, pending.response);
  return true;
}

bool Responder::answer(ClientQueue& client, const PendingRequest& pending) {
  const auto* read = std::get_if<codec::Read>(&pending.request.operation);
  if (read != nullptr && !clients_.has_room(client)) {
    hit(options_.instrumentation, CoveragePoint::reply_held_back);
    return false;  // Node::on_client_room marks it again
  }
  // It has seen every write before it, or they will never be.
  if (!is_stale_read(pending.request)) client.unsettled = false;
  env_.respond(client.id, pending.request,
               read == nullptr ? codec::Response(codec::Done{}) : service_.answer(*read));
  return true;
}

}  // namespace zatt::node
