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

std::uint64_t cost(const codec::Request& request) {
  return pending_bytes + request.id.size() + request.key.size() + request.prefix.size() +
         request.command.size() + (request.after ? request.after->size() : 0);
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
  for (const PendingRequest& pending : it->second.queue) tokens_.erase(pending.token);
  bytes_ -= it->second.bytes;
  clients_.erase(it);
  active_.erase(id);
  waiting_.erase(id);
  dirty_.erase(id);
  answerable_.erase(id);
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

PendingRequest& ClientQueues::add(ClientQueue& client, PendingRequest::Kind kind,
                                  codec::Request request, std::uint64_t deadline_us) {
  const std::uint64_t bytes = cost(request);
  client.bytes += bytes;
  bytes_ += bytes;
  PendingRequest& pending = client.queue.emplace_back();
  pending.token = ++last_token_;
  pending.client = client.id;
  pending.kind = kind;
  pending.request = std::move(request);
  pending.deadline_us = deadline_us;
  pending.bytes = bytes;
  tokens_[pending.token] = &pending;
  ++client.waiting;
  active_.insert(client.id);
  waiting_.insert(client.id);
  next_deadline_us_ = std::min(next_deadline_us_, deadline_us);
  pause_if_full(client);
  return pending;
}

void ClientQueues::pause_if_full(ClientQueue& client) {
  if (client.paused) return;
  client.paused = client.queue.size() >= max_pipelined || client.bytes >= max_client_bytes ||
                  client.reply_bytes >= max_client_bytes ||
                  inject(instrumentation_, FaultPoint::pause_client);
  if (!client.paused) return;
  hit(instrumentation_, CoveragePoint::client_paused);
  env_.want_lines(client.id, false);
}

void ClientQueues::set_state(PendingRequest& pending, PendingRequest::State state) {
  ClientQueue& client = clients_.at(pending.client);
  --count_of(client, pending.state);
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

void ClientQueues::finish(PendingRequest& pending, Answer answer) {
  ClientQueue& client = clients_.at(pending.client);
  client.reply_bytes += answer.text.size();
  pending.answer = std::move(answer);
  set_state(pending, PendingRequest::State::done);
  pause_if_full(client);  // answers after one that is not there yet are kept
  if (client.waiting > 0) woken_ = true;
  if (client.reading > 0) answerable_.insert(client.id);
}

void ClientQueues::finish_error(PendingRequest& pending, codec::ErrorCode code,
                                std::string_view message) {
  if (pending.kind != PendingRequest::Kind::line)
    return finish(pending, Answer{code, std::string(message), {}});
  std::string reply;
  codec::write_error(reply, pending.request.id, code, message);
  finish(pending, std::move(reply));
}

void ClientQueues::refuse(ClientQueue& client, const codec::Refusal& refusal) {
  PendingRequest& pending = add(client, PendingRequest::Kind::line, {}, UINT64_MAX);
  std::string reply;
  codec::write_error(reply, refusal.id, refusal.code, refusal.message);
  finish(pending, std::move(reply));
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

void ClientQueues::set_readable(Token token) {
  PendingRequest* pending = find_token(token);
  if (pending == nullptr) return;
  pending->readable = true;
  answerable_.insert(pending->client);
}

void ClientQueues::shorten_deadline(PendingRequest& pending, std::uint64_t deadline_us) {
  pending.deadline_us = std::min(pending.deadline_us, deadline_us);
  next_deadline_us_ = std::min(next_deadline_us_, pending.deadline_us);
}

std::vector<Token> ClientQueues::expired(std::uint64_t now_us) {
  std::vector<Token> tokens;
  if (now_us < next_deadline_us_) return tokens;
  next_deadline_us_ = UINT64_MAX;
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

bool ClientQueues::has_room(const ClientQueue& client) {
  return has_room_after(client, client.reply_bytes);
}

bool ClientQueues::has_room_after(const ClientQueue& client, std::uint64_t ahead) {
  return ahead + env_.unread_bytes(client.id) < max_unread_bytes;
}

void ClientQueues::flush() {
  const std::set<ClientId> dirty = std::exchange(dirty_, {});
  for (const ClientId id : dirty)
    if (ClientQueue* client = find(id)) emit(*client);
}

void ClientQueues::emit(ClientQueue& client) {
  const ClientId id = client.id;
  std::string lines;
  while (!client.queue.empty() && client.queue.front().state == PendingRequest::State::done) {
    PendingRequest& pending = client.queue.front();
    std::string& text = pending.answer.text;
    const bool is_line = pending.kind == PendingRequest::Kind::line;
    client.bytes -= pending.bytes;
    client.reply_bytes -= text.size();
    bytes_ -= pending.bytes;
    if (!lines.empty() && (!is_line || lines.size() + text.size() > max_unread_bytes)) {
      env_.reply(id, lines);
      lines.clear();
    }
    if (!is_line)
      env_.answer(id, pending.answer);
    else if (lines.empty())
      lines = std::move(text);
    else
      lines += text;
    client.queue.pop_front();
  }
  if (client.queue.empty()) active_.erase(id);
  if (!lines.empty()) env_.reply(id, lines);
  const bool resume = client.paused && client.queue.size() <= max_pipelined / 2 &&
                      client.bytes <= max_client_bytes / 2 &&
                      client.reply_bytes <= max_client_bytes / 2;
  if (resume) client.paused = false;
  if (client.ended && client.queue.empty())
    env_.close_client(id);
  else if (resume)
    env_.want_lines(id, true);
}

}  // namespace zatt::node
