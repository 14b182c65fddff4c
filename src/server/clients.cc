// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/clients.h"

#include <utility>

namespace zatt::server {

using node::ClientId;
using node::LogLevel;

Clients::Clients(loop::Loop& loop, LingeringClose& lingering_close, const ClientLimits& limits,
                 Events events)
    : lingering_close_(lingering_close),
      limits_(limits),
      events_(std::move(events)),
      slow_timer_(loop, [this] { check_slow(); }) {}

void Clients::add(loop::Stream stream, std::string_view first, bool ended) {
  const ClientId id = take_id();
  auto& client = clients_[id];
  ClientOwner& owner = *this;
  client = std::make_unique<Client>(id, limits_, owner, std::move(stream));
  Client& added = *client;
  events_.on_open(id);
  added.begin(first, ended);
}

Client* Clients::find(ClientId id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.get();
}

std::size_t Clients::unread_bytes(ClientId id) {
  const Client* const client = find(id);
  return client == nullptr ? 0 : client->waiting_bytes();
}

void Clients::reply(ClientId id, std::string_view lines) {
  Client* const client = find(id);
  if (client == nullptr) return;
  client->reply(lines);
  dirty_.push_back(id);
}

void Clients::close(ClientId id) {
  Client* const client = find(id);
  if (client == nullptr) return;
  client->close();
  dirty_.push_back(id);
}

void Clients::want_lines(ClientId id, bool wanted) {
  if (Client* const client = find(id); client != nullptr) client->want_lines(wanted);
}

void Clients::on_line(ClientId id, std::string_view line, bool too_long) {
  events_.on_line(id, line, too_long);
}

void Clients::on_end(ClientId id) { events_.on_end(id); }

void Clients::on_ready(ClientId id) { ready_.push_back(id); }

void Clients::on_slow(ClientId id) {
  slow_.insert(id);
  if (!slow_timer_.is_active()) slow_timer_.start(limits_.look_every_ms());
}

void Clients::process_ready() {
  std::vector<ClientId> now;
  now.swap(ready_);
  for (const ClientId id : now) {
    Client* const client = find(id);
    if (client == nullptr) continue;
    if (client->is_closed()) {
      remove(id);
    } else {
      if (client->take_room() && events_.on_room) events_.on_room(id);
      client->resume();
    }
  }
}

void Clients::remove(ClientId id) {
  const auto found = clients_.find(id);
  const std::unique_ptr<Client> client = std::move(found->second);
  clients_.erase(found);
  slow_.erase(id);
  if (!client->close_reason().empty()) {
    events_.log(client->was_too_slow() ? LogLevel::warning : LogLevel::debug,
                "client " + to_string(client->remote()) + " is closed: " + client->close_reason());
  } else if (!client->has_closed_in_order()) {
    lingering_close_.close(client->take_stream(), {});
  }
  events_.on_closed(id);
}

void Clients::write_out() {
  std::vector<ClientId> dirty;
  dirty.swap(dirty_);
  for (const ClientId id : dirty) {
    if (Client* const client = find(id); client != nullptr) client->write_out();
  }
  dirty.clear();
  if (dirty_.empty()) dirty_.swap(dirty);  // keeps its room
}

void Clients::check_slow() {
  const std::set<ClientId> slow = slow_;
  for (const ClientId id : slow) {
    Client* const client = find(id);
    if (client != nullptr && client->is_slow()) {
      client->check_progress();
    } else {
      slow_.erase(id);
    }
  }
  if (!slow_.empty()) slow_timer_.start(limits_.look_every_ms());
}

std::size_t Clients::waiting_bytes() const {
  std::size_t sum = 0;
  for (const auto& [id, client] : clients_) sum += client->waiting_bytes();
  return sum;
}

}  // namespace zatt::server
