// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/responder.h"

#include <set>

namespace zatt::node {

using State = PendingRequest::State;

void Responder::flush() {
  const std::set<ClientId> dirty = clients_.take_dirty();
  for (const ClientId id : dirty) {
    ClientQueue* client = clients_.find(id);
    if (client == nullptr) continue;
    while (!client->queue.empty() && respond_to_first(*client)) clients_.remove_first(*client);
    clients_.update_pause(*client);
  }
}

bool Responder::respond_to_first(ClientQueue& client) {
  const PendingRequest& pending = client.queue.front();
  if (pending.state == State::reading) return pending.readable && answer(client, pending);
  if (pending.state != State::done) return false;
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
