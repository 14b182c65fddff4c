// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/client_queues.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace zatt::node {
namespace {

constexpr std::size_t max_pipelined = 1024;
constexpr std::uint64_t max_client_bytes = 4 << 20;

// The same on every machine, for it decides who has to wait.
constexpr std::uint64_t pending_bytes = 280;

constexpr std::string_view stopping_text = "this node is stopping";

std::uint64_t size_of(const codec::Read& read) {
  if (const auto* get = std::get_if<codec::Get>(&read.query)) return get->key.size();
  if (const auto* count = std::get_if<codec::Count>(&read.query)) return count->prefix.size();
  const auto& scan = std::get<codec::Scan>(read.query);
  return scan.prefix.size() + (scan.after ? scan.after->size() : 0);
}

std::uint64_t cost(codec::Request& request) {
  std::uint64_t bytes = pending_bytes + request.id.size();
  if (const auto* read = std::get_if<codec::Read>(&request.operation)) bytes += size_of(*read);
  if (const std::string* command = command_of(request)) bytes += command->size();
  return bytes;
}

std::uint64_t kept_bytes_of(const codec::Response& response) {
  if (const auto* applied = std::get_if<codec::Applied>(&response)) return applied->reply.size();
  if (const auto* failure = std::get_if<codec::Failure>(&response)) return failure->message.size();
  return 0;
}

}  // namespace

std::string* command_of(codec::Request& request) {
  if (auto* write = std::get_if<codec::Write>(&request.operation)) return &write->command;
  auto* proposal = std::get_if<codec::Proposal>(&request.operation);
  return proposal == nullptr ? nullptr : &proposal->command;
}

bool grows(const PendingRequest& pending) {
  const auto* write = std::get_if<codec::Write>(&pending.request.operation);
  return write == nullptr ? is_write(pending) : write->op != kv::Op::del;
}

bool is_stale_read(const codec::Request& request) {
  const auto* read = std::get_if<codec::Read>(&request.operation);
  return read != nullptr && read->stale;
}

void ClientQueues::open(ClientId id) {
  ClientQueue client;
  client.id = id;
  clients_.emplace(id, std::move(client));
}

void ClientQueues::close(ClientId id) {
  const auto it = clients_.find(id);
  if (it == clients_.end()) return;
  for (const PendingRequest& pending : it->second.queue) tokens_.erase(pending.token);
  bytes_ -= it->second.bytes;
  clients_.erase(it);
  active_.erase(id);
  waiting_.erase(id);
  dirty_.erase(id);
}

void ClientQueues::end(ClientId id) {
  ClientQueue* client = find(id);
  if (client == nullptr) return;
  client->ended = true;
  dirty_.insert(id);
}

ClientQueue* ClientQueues::find(ClientId id) {
  const auto it = clients_.find(id);
  return it == clients_.end() ? nullptr : &it->second;
}

PendingRequest* ClientQueues::find_token(Token token) {
  const auto it = tokens_.find(token);
  return it == tokens_.end() ? nullptr : it->second;
}

std::uint32_t& ClientQueues::count_of(ClientQueue& client, PendingRequest::State state) {
  ZATT_ASSERT(state != PendingRequest::State::done);
  if (state == PendingRequest::State::writing) return client.writing;
  return state == PendingRequest::State::reading ? client.reading : client.waiting;
}

PendingRequest& ClientQueues::add(ClientQueue& client, codec::Request request) {
  const std::uint64_t bytes = cost(request);
  client.bytes += bytes;
  bytes_ += bytes;
  PendingRequest& pending = client.queue.emplace_back();
  pending.token = ++last_token_;
  pending.client = client.id;
  pending.deadline_us = env_.now_us() + 1000ULL * request.timeout_ms;
  pending.request = std::move(request);
  pending.bytes = bytes;
  tokens_[pending.token] = &pending;
  ++client.waiting;
  active_.insert(client.id);
  waiting_.insert(client.id);
  next_deadline_us_ = std::min(next_deadline_us_, pending.deadline_us);
  pause_if_full(client);
  return pending;
}

void ClientQueues::pause_if_full(ClientQueue& client) {
  if (client.paused) return;
  client.paused = client.queue.size() >= max_pipelined || client.bytes >= max_client_bytes ||
                  client.kept_bytes >= max_client_bytes ||
                  inject(instrumentation_, FaultPoint::pause_client);
  if (!client.paused) return;
  hit(instrumentation_, CoveragePoint::client_paused);
  env_.want_requests(client.id, false);
}

void ClientQueues::set_state(PendingRequest& pending, PendingRequest::State state) {
  ClientQueue& client = clients_.at(pending.client);
  --count_of(client, pending.state);
  const bool stale = is_stale_read(pending.request);
  if (stale && pending.state == PendingRequest::State::reading) --client.stale;
  if (stale && state == PendingRequest::State::reading) ++client.stale;
  pending.state = state;
  if (state == PendingRequest::State::done) {
    tokens_.erase(pending.token);
    dirty_.insert(client.id);
  } else {
    ++count_of(client, state);
  }
  if (client.waiting > 0)
    waiting_.insert(client.id);
  else
    waiting_.erase(client.id);
}

void ClientQueues::finish(PendingRequest& pending, codec::Response response) {
  ClientQueue& client = clients_.at(pending.client);
  client.kept_bytes += kept_bytes_of(response);
  pending.response = std::move(response);
  set_state(pending, PendingRequest::State::done);
  pause_if_full(client);  // answers after one that is not there yet are kept
  if (client.waiting > 0) woken_ = true;
}

void ClientQueues::return_to_waiting(Token token) {
  PendingRequest* pending = find_token(token);
  if (pending == nullptr) return;
  if (stopping_) return finish_error(*pending, codec::ErrorCode::shutting_down, stopping_text);
  pending->readable = pending->confirmed = false;
  set_state(*pending, PendingRequest::State::waiting);
  woken_ = true;
}

void ClientQueues::refuse_waiting() {
  stopping_ = true;
  std::vector<Token> waiting;
  for_each([&](PendingRequest& pending) {
    if (pending.state == PendingRequest::State::waiting) waiting.push_back(pending.token);
  });
  for (const Token token : waiting) return_to_waiting(token);
}

void ClientQueues::set_readable(PendingRequest& pending) {
  pending.readable = true;
  dirty_.insert(pending.client);
}

void ClientQueues::shorten_deadline(PendingRequest& pending, std::uint64_t deadline_us) {
  pending.deadline_us = std::min(pending.deadline_us, deadline_us);
  next_deadline_us_ = std::min(next_deadline_us_, pending.deadline_us);
}

std::vector<Token> ClientQueues::expired(std::uint64_t now_us) {
  std::vector<Token> tokens;
  if (now_us < next_deadline_us_) return tokens;
  next_deadline_us_ = never_us;
  for_each([&](PendingRequest& pending) {
    if (pending.deadline_us <= now_us)
      tokens.push_back(pending.token);
    else
      next_deadline_us_ = std::min(next_deadline_us_, pending.deadline_us);
  });
  return tokens;
}

void ClientQueues::for_each(const std::function<void(PendingRequest&)>& visit) {
  for (const ClientId id : active_)
    for (PendingRequest& pending : clients_.at(id).queue)
      if (pending.state != PendingRequest::State::done) visit(pending);
}

void ClientQueues::remove_first(ClientQueue& client) {
  PendingRequest& pending = client.queue.front();
  if (pending.state != PendingRequest::State::done) {  // a read, which is answered as it leaves
    set_state(pending, PendingRequest::State::done);
    if (client.waiting > 0) woken_ = true;
  }
  client.bytes -= pending.bytes;
  client.kept_bytes -= kept_bytes_of(pending.response);
  bytes_ -= pending.bytes;
  client.queue.pop_front();
  if (client.queue.empty()) active_.erase(client.id);
}

void ClientQueues::update_pause(ClientQueue& client) {
  const bool resume = client.paused && client.queue.size() <= max_pipelined / 2 &&
                      client.bytes <= max_client_bytes / 2 &&
                      client.kept_bytes <= max_client_bytes / 2;
  if (resume) client.paused = false;
  if (client.ended && client.queue.empty())
    env_.close_client(client.id);
  else if (resume)
    env_.want_requests(client.id, true);
}

}  // namespace zatt::node
