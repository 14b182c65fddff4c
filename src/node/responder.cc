// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/responder.h"

#include <algorithm>
#include <utility>

namespace zatt::node {
namespace {

constexpr std::size_t retries_a_flush = 16;

}  // namespace

void Responder::flush() {
  if (!waiting_for_room_.empty()) retry();
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
  if (read != nullptr && !has_room(client, *read)) return false;
  // It has seen every write before it, or they will never be.
  if (!is_stale_read(pending.request)) client.unsettled = false;
  env_.respond(client.id, pending.request,
               read == nullptr ? codec::Response(codec::Done{}) : service_.answer(*read));
  return true;
}

bool Responder::has_room(ClientQueue& client, const codec::Read& read) {
  const Unread unread = env_.unread(client.id);
  if (unread.by_client >= max_unread_bytes) {
    hit(options_.instrumentation, CoveragePoint::reply_held_back);
    return false;  // Node::on_client_room marks it again
  }
  // Its size is only looked at where it may matter.
  const std::uint64_t most = codec::page_bytes + options_.max_request_bytes;
  if (clients_.has_room(client, unread, most)) return true;
  const std::uint64_t bytes = service_.answer_bytes(read, clients_.shares().responses);
  if (clients_.has_room(client, unread, bytes)) return true;
  hit(options_.instrumentation, CoveragePoint::reply_waits_for_room);
  if (!std::exchange(client.waits_for_room, true)) waiting_for_room_.push_back(client.id);
  env_.make_room();
  return false;
}

void Responder::retry() {
  for (std::size_t left = std::min(retries_a_flush, waiting_for_room_.size()); left > 0; --left) {
    ClientQueue* const client = clients_.find(waiting_for_room_.front());
    waiting_for_room_.pop_front();
    if (client == nullptr) continue;
    client->waits_for_room = false;
    clients_.mark_dirty(*client);
  }
}

}  // namespace zatt::node
