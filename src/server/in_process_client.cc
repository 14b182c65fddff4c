// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/in_process_clients.h"

#include <utility>

#include "base/assert.h"
#include "codec/request.h"

namespace zatt::server {

using node::ClientId;

namespace {

constexpr std::size_t max_kept_bytes = 64 << 10;

}  // namespace

void InProcessClients::open(ClientId id, InProcessClient& client) { clients_[id].client = &client; }

InProcessClients::Entry* InProcessClients::find(ClientId id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : &found->second;
}

bool InProcessClients::wants_more(ClientId id) const {
  const auto found = clients_.find(id);
  return found != clients_.end() && found->second.wanted;
}

void InProcessClients::reply(ClientId id, std::string_view lines) {
  std::string padded = std::exchange(padded_, {});  // keeps its room
  padded.assign(lines);
  padded.append(codec::line_slack, '\0');
  std::string_view rest(padded.data(), lines.size());
  while (!rest.empty()) {
    Entry* const entry = find(id);
    if (entry == nullptr) break;
    const std::size_t end = rest.find('\n');
    ZATT_ASSERT(end != std::string_view::npos);  // whole lines
    entry->client->on_line(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  if (padded.capacity() <= max_kept_bytes) padded_ = std::move(padded);
}

void InProcessClients::answer(ClientId id, const node::Answer& answer) {
  if (Entry* const entry = find(id); entry != nullptr) entry->client->on_answer(answer);
}

void InProcessClients::want_lines(ClientId id, bool wanted) {
  Entry* const entry = find(id);
  if (entry == nullptr || entry->wanted == wanted) return;
  entry->wanted = wanted;
  if (wanted) ready_.push_back(id);
}

void InProcessClients::process_ready() {
  for (const ClientId id : std::exchange(ready_, {})) {
    Entry* const entry = find(id);
    if (entry != nullptr && entry->wanted) entry->client->on_room();
  }
}

}  // namespace zatt::server
