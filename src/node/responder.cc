// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/responder.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "codec/reply.h"

namespace zatt::node {

using State = PendingRequest::State;

void Responder::answer(PendingRequest& pending, bool stale) {
  const codec::Request& request = pending.request;
  std::string line;  // of a barrier: that it is answered says all
  if (pending.kind == PendingRequest::Kind::line) {
    if (request.op == codec::RequestOp::get)
      codec::write_get(line, request.id, store_->get(request.key), stale);
    else if (request.op == codec::RequestOp::count)
      codec::write_count(line, request.id, store_->count(request.prefix), store_->rev(), stale);
    else
      codec::write_scan(line, request.id,
                        store_->scan(request.prefix,
                                     request.after ? std::optional<std::string_view>(*request.after)
                                                   : std::nullopt),
                        request.limit, request.keys_only, store_->rev(), stale);
  }
  // It has seen every write before it, or they will never be.
  if (!stale) clients_.find(pending.client)->unsettled = false;
  clients_.finish(pending, std::move(line));
}

bool Responder::answer_readable() {
  bool any = false;
  const std::set<ClientId> answerable = clients_.take_answerable();
  for (const ClientId id : answerable)
    if (ClientQueue* client = clients_.find(id)) any = answer_readable(*client) || any;
  return any;
}

bool Responder::answer_readable(ClientQueue& client) {
  bool is_next_to_leave = true;
  bool any = false;
  std::uint64_t ahead = 0;  // bytes of answers that leave before it
  for (PendingRequest& pending : client.queue) {
    if (pending.state == State::waiting) return any;
    if (pending.state == State::writing) is_next_to_leave = false;
    if (pending.state == State::done) ahead += pending.answer.text.size();
    if (pending.state != State::reading) continue;
    if (!pending.readable) return any;
    if (is_next_to_leave ? !clients_.has_room_after(client, ahead) : !clients_.has_room(client)) {
      hit(options_.instrumentation, CoveragePoint::reply_held_back);
      clients_.wake_reads(client.id);
      return any;
    }
    answer(pending, false);
    ahead += pending.answer.text.size();
    any = true;
  }
  return any;
}

}  // namespace zatt::node
