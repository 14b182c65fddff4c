// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/embedded.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "codec/json_response.h"
#include "server/descriptors.h"
#include "server/posix_disk.h"

namespace zatt::capi {
namespace {

int level_of(node::LogLevel level) {
  switch (level) {
    case node::LogLevel::error:
      return ZATT_LOG_ERROR;
    case node::LogLevel::warning:
      return ZATT_LOG_WARNING;
    case node::LogLevel::info:
      return ZATT_LOG_INFO;
    case node::LogLevel::debug:
      break;
  }
  return ZATT_LOG_DEBUG;
}

int role_of(node::Role role) {
  switch (role) {
    case node::Role::follower:
      return ZATT_ROLE_FOLLOWER;
    case node::Role::candidate:
      return ZATT_ROLE_CANDIDATE;
    case node::Role::leader:
      return ZATT_ROLE_LEADER;
    case node::Role::learner:
      break;
  }
  return ZATT_ROLE_LEARNER;
}

int stop_error(node::StopReason reason) {
  switch (reason) {
    case node::StopReason::asked:
      return ZATT_OK;
    case node::StopReason::storage_corrupt:
      return ZATT_ESTORAGE;
    case node::StopReason::refused:
      return ZATT_EEXPELLED;
    case node::StopReason::disk_failed:
      break;
  }
  return ZATT_EDISK;
}

}  // namespace

Embedded::Embedded(loop::Loop& loop, const Host& host, const zatt_machine* machine)
    : loop_(loop), host_(host) {
  if (machine != nullptr) machine_.emplace(*machine, calling_back_);
}

Embedded::~Embedded() = default;

int Embedded::open(const config::Settings& settings, std::string& why) {
  debug_ = settings.debug;
  if (const Status enough = server::enough_descriptors(settings.node.cluster.size()); !enough) {
    why = to_string(enough.error());
    return ZATT_EADDRESS;
  }
  const auto limits = server::ClientLimits::of(settings.node);
  requests_.emplace(limits.max_line_bytes, host_.timeout_ms);
  auto created = server::Server::create(
      loop_, settings.listen, limits,
      {.log = [this](node::LogLevel level, std::string_view line) { on_log(level, line); },
       .on_stopped =
           [this](node::StopReason reason) {
             stop_reason_ = reason;
             wake_->send();  // what follows ends the server, and must not do so from within it
           },
       .on_state = [this](const node::NodeState& state) { on_state(state); }});
  if (!created) {
    why = to_string(created.error());
    return ZATT_EADDRESS;
  }
  server_ = std::move(*created);
  wake_ = std::make_unique<loop::Async>(loop_, [this] { on_wake(); });
  if (const Status opened = open_storage(settings); !opened) {
    why = to_string(opened.error());
    return ZATT_ESTORAGE;
  }
  if (const Status started = server_->start(); !started) {
    why = to_string(started.error());
    return ZATT_EADDRESS;
  }
  on_log(node::LogLevel::info, "zatt " + std::string(zatt_version()) + ": " + summary(settings));
  id_ = server_->open_local(*this);
  state_ = server_->node().state();
  return ZATT_OK;
}

Status Embedded::open_storage(const config::Settings& settings) {
  auto disk = server::PosixDisk::open(settings.node.storage);
  if (!disk) return disk.error();
  if (machine_)
    service_ = std::make_unique<node::HostService>(*machine_);
  else
    service_ = std::make_unique<node::DictionaryService>(store_);
  return server_->open(settings.node, std::move(*disk), *service_);
}

// --- from any thread -----------------------------------------------------------------------------

int Embedded::ask(const zatt_request* request, zatt_on_reply on_reply, void* user) noexcept {
  Asked asked;
  asked.on_reply = on_reply;
  asked.user = user;
  const std::lock_guard lock(mutex_);
  if (ended_) return ZATT_ESTOPPED;
  if (const int error = requests_->read(request, asked.host); error != ZATT_OK) return error;
  if (waiting_bytes_ + asked.cost() > max_waiting_bytes && waiting_bytes_ > 0)
    return ZATT_EOVERLOADED;
  waiting_bytes_ += asked.cost();
  queue_.push_back(std::move(asked));
  wake_->send();
  return ZATT_OK;
}

void Embedded::stop() noexcept {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  ++stops_;
  wake_->send();
}

int Embedded::state(zatt_state* state) const noexcept {
  if (state == nullptr || state->size < sizeof state->size) return ZATT_EINVAL;
  const std::lock_guard lock(mutex_);
  zatt_state now = described(state_);
  const std::size_t size = std::min(state->size, sizeof now);
  now.size = state->size;
  std::memcpy(state, &now, size);
  return ended_ ? ZATT_ESTOPPED : ZATT_OK;
}

zatt_state Embedded::described(const node::NodeState& state) const {
  zatt_state out;
  std::memset(&out, 0, sizeof out);
  out.size = sizeof out;
  out.role = role_of(state.role);
  out.term = raw(state.term);
  out.commit_index = raw(state.commit_index);
  out.last_applied = raw(state.last_applied);
  tell(out.leader, sizeof out.leader, state.leader);
  return out;
}

// --- on the loop's thread ------------------------------------------------------------------------

void Embedded::on_wake() {
  int stops = 0;
  {
    const std::lock_guard lock(mutex_);
    stops = std::exchange(stops_, 0);
  }
  submit_queued();
  for (; stops > 0; --stops) server_->stop();
  if (stop_reason_) finish(stop_error(*stop_reason_));
}

// What was asked goes to the node as long as it wants more.
void Embedded::submit_queued() {
  while (!stop_reason_ && server_->wants_more(id_)) {
    Asked asked;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) return;
      asked = std::move(queue_.front());
      queue_.pop_front();
    }
    codec::Request request = std::move(asked.host.request);
    handed_.push_back(std::move(asked));
    server_->ask(id_, std::move(request));
  }
}

void Embedded::on_response(const codec::Request& request, const codec::Response& response) {
  const bool is_proposal = std::holds_alternative<codec::Proposal>(request.operation);
  if (is_proposal || std::holds_alternative<codec::Barrier>(request.operation)) {
    if (const auto* failure = std::get_if<codec::Failure>(&response))
      return answer(ReplyBox(to_error(client::outcome_of(failure->code)), failure->message));
    ReplyBox reply(ZATT_OK, "");
    if (const auto* applied = std::get_if<codec::Applied>(&response))
      reply.set_result(applied->reply, raw(applied->index));
    return answer(reply);
  }
  std::string line;
  codec::write_json(request, response, line);
  const std::size_t size = line.size() - 1;  // no newline
  line.append(codec::line_slack, '\0');
  auto reply = reader_.read(std::string_view(line).substr(0, size));
  ZATT_ASSERT(reply.has_value());
  answer(ReplyBox(std::move(*reply)));
}

// To the first of those that wait.
void Embedded::answer(const ReplyBox& reply) {
  ZATT_ASSERT(!handed_.empty());
  const Asked asked = std::move(handed_.front());
  handed_.pop_front();
  {
    const std::lock_guard lock(mutex_);
    waiting_bytes_ -= asked.cost();
  }
  if (asked.on_reply == nullptr) return;
  ++calling_back_;
  asked.on_reply(asked.user, reply.get());
  --calling_back_;
}

void Embedded::on_log(node::LogLevel level, std::string_view line) {
  if (host_.on_log == nullptr || (level == node::LogLevel::debug && !debug_)) return;
  const std::string text = printable(line);
  ++calling_back_;
  host_.on_log(host_.user, level_of(level), text.c_str());
  --calling_back_;
}

void Embedded::on_state(const node::NodeState& state) {
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    news = state.role != state_.role || state.term != state_.term || state.leader != state_.leader;
    state_ = state;
  }
  if (!news || host_.on_state == nullptr) return;
  const zatt_state told = described(state);
  ++calling_back_;
  host_.on_state(host_.user, &told);
  --calling_back_;
}

// --- the end -------------------------------------------------------------------------------------

void Embedded::close() {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
  }
  end(ZATT_ECANCELED);
}

void Embedded::finish(int error) {
  end(ZATT_ESTOPPED);
  if (host_.on_stop == nullptr) return;
  ++calling_back_;
  host_.on_stop(host_.user, error);
  --calling_back_;
}

// Of what is not answered, only a write that the node had may have happened.
void Embedded::end(int unread_error) {
  std::deque<Asked> unsent;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    unsent.swap(queue_);
  }
  server_.reset();
  wake_.reset();
  while (!handed_.empty()) {
    const int error = handed_.front().host.only_reads ? unread_error : ZATT_EUNKNOWN;
    answer(ReplyBox(error, zatt_error_text(error)));
  }
  handed_.swap(unsent);
  while (!handed_.empty()) answer(ReplyBox(unread_error, zatt_error_text(unread_error)));
}

}  // namespace zatt::capi
