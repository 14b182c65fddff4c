// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/clients.h"

#include <utility>

namespace zatt::server {

using node::ClientId;

Clients::Clients(loop::Loop& loop, LingeringClose& lingering_close, const ClientLimits& limits,
                 LogFunction log)
    : lingering_close_(lingering_close),
      limits_(limits),
      log_(std::move(log)),
      slow_timer_(loop, [this] { check_slow(); }) {}

void Clients::add(Transport transport, const MakeProtocol& make, std::string_view first,
                  bool ended) {
  const ClientId id = ++last_id_;
  ClientOwner& owner = *this;
  auto connection = std::make_unique<Connection>(id, limits_, owner, std::move(transport), make);
  Connection& added = *connection;
  clients_.emplace(id, std::move(connection));
  ++connections_;
  added.begin(first, ended);
}

ClientId Clients::add_in_process(InProcessClient& who) {
  const ClientId id = ++last_id_;
  ClientOwner& owner = *this;
  clients_.emplace(id, std::make_unique<InProcessEnd>(id, owner, who));
  return id;
}

bool Clients::wants_requests(ClientId id) const {
  const Client* const client = find(id);
  return client != nullptr && client->wants_requests();
}

Client* Clients::find(ClientId id) const {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.get();
}

std::size_t Clients::unread_bytes(ClientId id) const {
  const Client* const client = find(id);
  return client == nullptr ? 0 : client->unread_bytes();
}

void Clients::respond(ClientId id, const codec::Request& request, const codec::Response& response) {
  if (Client* const client = find(id); client != nullptr) client->respond(request, response);
}

void Clients::close(ClientId id) {
  if (Client* const client = find(id); client != nullptr) client->close();
}

void Clients::want_requests(ClientId id, bool wanted) {
  if (Client* const client = find(id); client != nullptr) client->want_requests(wanted);
}

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
      client->resume();
    }
  }
}

void Clients::remove(ClientId id) {
  const auto found = clients_.find(id);
  const std::unique_ptr<Client> client = std::move(found->second);
  clients_.erase(found);
  if (client->is_connection()) --connections_;
  slow_.erase(id);
  client->on_removed(lingering_close_, log_);
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
    if (client == nullptr || !client->check_progress()) slow_.erase(id);
  }
  if (!slow_.empty()) slow_timer_.start(limits_.look_every_ms());
}

std::size_t Clients::waiting_bytes() const {
  std::size_t sum = 0;
  for (const auto& [id, client] : clients_) sum += client->unread_bytes();
  return sum;
}

}  // namespace zatt::server
