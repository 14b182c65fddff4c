// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/clients.h"

#include <algorithm>
#include <utility>

namespace zatt::server {

using node::ClientId;

namespace {

constexpr std::size_t short_read_bytes = 2 << 10;

}  // namespace

Clients::Clients(loop::Loop& loop, LingeringClose& lingering_close, const ClientLimits& limits,
                 LogFunction log)
    : loop_(loop),
      lingering_close_(lingering_close),
      limits_(limits),
      log_(std::move(log)),
      line_gate_(loop, limits.room_look_ms,
                 {.on_entered = [this](ClientId id) { on_ready(id); },
                  .on_refused =
                      [this](ClientId id) {
                        if (Client* const client = find(id)) client->refuse_line();
                      }}),
      slow_timer_(loop, [this] { check_slow(); }),
      room_timer_(loop, [this] { look_for_room(); }) {}

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

node::Unread Clients::unread(ClientId id) const {
  const Client* const client = find(id);
  return {client == nullptr ? 0 : client->unread_bytes(), unread_bytes_};
}

void Clients::set_request_bytes(std::uint64_t bytes) {
  const std::uint64_t share =
      node::buffer_shares(limits_.max_buffer_bytes, clients_.size()).requests;
  const std::uint64_t lines = node::free_of(share / 4 * 3, bytes) / limits_.max_line_bytes;
  // Where much of the share is idle clients', one has room when little waits.
  line_gate_.set_room(lines > 0 ? lines : bytes < share / 4 ? 1 : 0);
}

// Where many keep something, each gets to keep less.
void Clients::on_input_kept(std::size_t before, std::size_t now) {
  input_bytes_ += now - before;
  loop_.limit_reads(input_bytes_ < limits_.max_buffer_bytes / 16 ? loop::Loop::read_buffer_bytes
                                                                 : short_read_bytes);
}

void Clients::make_room() {
  room_is_wanted_ = true;
  if (!room_timer_.is_active()) room_timer_.start(limits_.room_look_ms);
}

void Clients::look_for_room() {
  if (!std::exchange(room_is_wanted_, false)) return watches_.clear();
  std::vector<ClientId> idle;
  for (const auto& [id, client] : clients_) {
    if (client->unread_bytes() == 0) {
      watches_.erase(id);
      continue;
    }
    const std::uint64_t taken = client->taken_bytes();
    ProgressWatch& watch = watches_.try_emplace(id, taken).first->second;
    if (watch.look(taken) > LineGate::looks_in_vain) idle.push_back(id);
  }
  end_largest(std::move(idle));
  room_timer_.start(limits_.room_look_ms);
}

void Clients::end_largest(std::vector<ClientId> idle) {
  std::sort(idle.begin(), idle.end(), [this](ClientId a, ClientId b) {
    return find(a)->unread_bytes() > find(b)->unread_bytes();
  });
  const std::size_t enough = unread_bytes_ / 2;
  for (const ClientId id : idle) {
    if (unread_bytes_ <= enough) return;
    find(id)->end_for_room();
  }
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
  watches_.erase(id);
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

}  // namespace zatt::server
