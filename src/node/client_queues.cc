// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/client_queues.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/overloaded.h"

namespace zatt::node {
namespace {

constexpr std::size_t max_pipelined = 1024;
constexpr std::uint64_t max_client_bytes = 4 << 20;

// The same on every machine, for it decides who has to wait.
constexpr std::uint64_t pending_bytes = 400;
constexpr std::uint64_t under_way_bytes = 250;  // in the log, with the disk, among those who wait

constexpr std::string_view no_room_for_reply_text =
    "nothing was written, and there was no room for the answer that says why: too many clients do "
    "not read theirs";
constexpr std::string_view stopping_text = "this node is stopping";

std::uint64_t size_of(const codec::Read& read) {
  return std::visit(Overloaded{
                        [](const codec::Get& get) { return get.key.size(); },
                        [](const codec::Count& count) { return count.prefix.size(); },
                        [](const codec::Scan& scan) {
                          return scan.prefix.size() + (scan.after ? scan.after->size() : 0);
                        },
                    },
                    read.query);
}

std::uint64_t cost(codec::Request& request, const Service& service) {
  std::uint64_t bytes = pending_bytes + request.id.size();
  if (const auto* read = std::get_if<codec::Read>(&request.operation)) bytes += size_of(*read);
  if (const std::string* command = command_of(request))
    bytes +=
        under_way_bytes + command->size() + service.answer_bytes(request.operation, UINT64_MAX);
  return bytes;
}

std::uint64_t kept_bytes_of(const codec::Response& response) {
  if (const auto* applied = std::get_if<codec::Applied>(&response)) return applied->reply.size();
  if (const auto* failure = std::get_if<codec::Failure>(&response)) return failure->message.size();
  return 0;
}

}  // namespace

void ClientQueues::open(ClientId id) {
  ClientQueue client;
  client.id = id;
  clients_.emplace(id, std::move(client));
}

void ClientQueues::close(ClientId id) {
  const auto it = clients_.find(id);
  if (it == clients_.end()) return;
  for (PendingRequest& pending : it->second.queue) {
    if (pending.state == PendingRequest::State::done) continue;
    requests_.remove(pending);
    deadlines_.remove(pending);
  }
  bytes_ -= it->second.bytes;
  kept_bytes_ -= it->second.kept_bytes;
  clients_.erase(it);
}

void ClientQueues::end(ClientId id) {
  ClientQueue* client = find(id);
  if (client == nullptr) return;
  client->ended = true;
  mark_dirty(*client);
}

ClientQueue* ClientQueues::find(ClientId id) {
  const auto it = clients_.find(id);
  return it == clients_.end() ? nullptr : &it->second;
}

std::uint32_t& ClientQueues::count_of(ClientQueue& client, PendingRequest::State state) {
  ZATT_ASSERT(state != PendingRequest::State::done);
  if (state == PendingRequest::State::writing) return client.writing;
  return state == PendingRequest::State::reading ? client.reading : client.waiting;
}

PendingRequest& ClientQueues::add(ClientQueue& client, codec::Request request) {
  const std::uint64_t bytes = cost(request, service_);
  client.bytes += bytes;
  bytes_ += bytes;
  PendingRequest& pending = client.queue.emplace_back();
  requests_.add(pending);
  pending.client = &client;
  pending.deadline_us = env_.now_us() + 1000ULL * request.timeout_ms;
  pending.request = std::move(request);
  pending.bytes = bytes;
  deadlines_.add(pending);
  ++client.waiting;
  pause_if_full(client);
  return pending;
}

std::uint64_t ClientQueues::most_for_one() const {
  return std::min(max_client_bytes, free_of(shares().requests, bytes_));
}

void ClientQueues::pause_if_full(ClientQueue& client) {
  if (client.paused) return;
  client.paused = client.queue.size() >= max_pipelined || client.bytes >= most_for_one() ||
                  client.kept_bytes >= max_client_bytes ||
                  inject(options_.instrumentation, FaultPoint::pause_client);
  if (!client.paused) return;
  hit(options_.instrumentation, CoveragePoint::client_paused);
  env_.want_requests(client.id, false);
}

void ClientQueues::set_state(PendingRequest& pending, PendingRequest::State state) {
  ClientQueue& client = *pending.client;
  --count_of(client, pending.state);
  const bool stale = is_stale_read(pending.request);
  if (stale && pending.state == PendingRequest::State::reading) --client.stale;
  if (stale && state == PendingRequest::State::reading) ++client.stale;
  pending.state = state;
  if (state == PendingRequest::State::done) {
    requests_.remove(pending);
    deadlines_.remove(pending);
  } else {
    ++count_of(client, state);
  }
}

bool ClientQueues::has_room(const ClientQueue& client, const Unread& unread,
                            std::uint64_t bytes) const {
  const std::uint64_t held = unread.by_all + kept_bytes_;
  const std::uint64_t by_client = unread.by_client + client.kept_bytes;
  return held == 0 || by_client + bytes <= free_of(shares().responses, held);
}

void ClientQueues::finish_applied(PendingRequest& pending, std::string reply, Index index) {
  const ClientQueue& client = *pending.client;
  if (!has_room(client, env_.unread(client.id), reply.size()) && service_.changed_nothing(reply)) {
    hit(options_.instrumentation, CoveragePoint::reply_without_room);
    return finish_error(pending, codec::ErrorCode::overloaded, no_room_for_reply_text);
  }
  finish(pending, codec::Applied{std::move(reply), index});
}

void ClientQueues::finish(PendingRequest& pending, codec::Response response) {
  ClientQueue& client = *pending.client;
  const std::uint64_t kept = kept_bytes_of(response);
  client.kept_bytes += kept;
  kept_bytes_ += kept;
  pending.response = std::move(response);
  set_state(pending, PendingRequest::State::done);
  mark_dirty(client);
  pause_if_full(client);  // answers after one that is not there yet are kept
  if (client.waiting > 0) wake_waiting(client);
}

void ClientQueues::return_to_waiting(RequestId id) {
  PendingRequest* pending = find_request(id);
  if (pending == nullptr) return;
  if (stopping_) return finish_error(*pending, codec::ErrorCode::shutting_down, stopping_text);
  pending->readable = pending->confirmed = false;
  set_state(*pending, PendingRequest::State::waiting);
  list_waiting(*pending->client);
  wake_waiting(*pending->client);
}

void ClientQueues::refuse_waiting() {
  stopping_ = true;
  std::vector<RequestId> waiting;
  for (const ClientId id : waiting_)
    if (const ClientQueue* client = find(id))
      for (const PendingRequest& pending : client->queue)
        if (pending.state == PendingRequest::State::waiting) waiting.push_back(pending.id);
  for (const RequestId id : waiting) return_to_waiting(id);
}

void ClientQueues::list_waiting(ClientQueue& client) {
  if (std::exchange(client.is_listed, true)) return;
  if (waiting_.size() > 2 * clients_.size()) prune_waiting();
  waiting_.push_back(client.id);
}

void ClientQueues::prune_waiting() {
  std::erase_if(waiting_, [this](ClientId id) {
    ClientQueue* client = find(id);
    if (client == nullptr) return true;
    client->is_listed = client->waiting > 0;
    return !client->is_listed;
  });
}

void ClientQueues::wake_waiting(ClientQueue& client) {
  if (!std::exchange(client.is_woken, true)) woken_.push_back(client.id);
}

void ClientQueues::mark_dirty(ClientQueue& client) {
  if (!std::exchange(client.is_dirty, true)) dirty_.push_back(client.id);
}

void ClientQueues::mark_dirty(ClientId id) {
  if (ClientQueue* client = find(id)) mark_dirty(*client);
}

void ClientQueues::set_readable(PendingRequest& pending) {
  pending.readable = true;
  mark_dirty(*pending.client);
}

void ClientQueues::remove_first(ClientQueue& client) {
  PendingRequest& pending = client.queue.front();
  if (pending.state != PendingRequest::State::done) {  // a read, which is answered as it leaves
    set_state(pending, PendingRequest::State::done);
    if (client.waiting > 0) wake_waiting(client);
  }
  client.bytes -= pending.bytes;
  const std::uint64_t kept = kept_bytes_of(pending.response);
  client.kept_bytes -= kept;
  kept_bytes_ -= kept;
  bytes_ -= pending.bytes;
  client.queue.pop_front();
}

void ClientQueues::update_pause(ClientQueue& client) {
  const bool is_low = client.queue.size() <= max_pipelined / 2 &&
                      client.bytes <= most_for_one() / 2 &&
                      client.kept_bytes <= max_client_bytes / 2;
  const bool resume = client.paused && (client.queue.empty() || is_low);
  if (resume) client.paused = false;
  if (client.ended && client.queue.empty())
    env_.close_client(client.id);
  else if (resume)
    env_.want_requests(client.id, true);
}

}  // namespace zatt::node
