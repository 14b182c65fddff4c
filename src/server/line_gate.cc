// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/line_gate.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace zatt::server {

using node::ClientId;

LineGate::LineGate(loop::Loop& loop, std::uint64_t look_every_ms, Events events)
    : look_every_ms_(look_every_ms), events_(std::move(events)), timer_(loop, [this] { look(); }) {}

bool LineGate::enter(ClientId id) {
  if (waiting_.empty() && has_room()) {
    inside_.emplace(id, Inside{});
    return true;
  }
  waiting_.push_back({id, looks_});
  if (!timer_.is_active()) timer_.start(look_every_ms_);
  return false;
}

void LineGate::on_bytes(ClientId id) {
  if (const auto found = inside_.find(id); found != inside_.end()) found->second.in_vain = 0;
}

void LineGate::leave(ClientId id) {
  if (inside_.erase(id) == 0)
    std::erase_if(waiting_, [id](const Waiting& waiting) { return waiting.id == id; });
  admit();
}

void LineGate::set_room(std::size_t lines) {
  room_ = lines;
  admit();
}

void LineGate::admit() {
  while (!waiting_.empty() && has_room()) {
    const ClientId id = waiting_.front().id;
    waiting_.pop_front();
    inside_.emplace(id, Inside{});
    events_.on_entered(id);
  }
}

void LineGate::look() {
  if (waiting_.empty()) return;
  ++looks_;
  std::vector<ClientId> refused;
  for (const Waiting& waiting : waiting_)
    if (waiting.since_look + most_looks < looks_) refused.push_back(waiting.id);
  for (auto& [id, inside] : inside_)
    if (++inside.in_vain > looks_in_vain || ++inside.looks > most_looks) refused.push_back(id);
  for (const ClientId id : refused) events_.on_refused(id);
  if (!waiting_.empty()) timer_.start(look_every_ms_);
}

}  // namespace zatt::server
