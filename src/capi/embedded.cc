// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/embedded.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/narrow.h"
#include "base/text.h"
#include "codec/request.h"
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

// zattd's exit codes.
int stop_error(int exit_code) {
  switch (exit_code) {
    case 0:
      return ZATT_OK;
    case 4:
      return ZATT_ESTORAGE;
    case 6:
      return ZATT_EEXPELLED;
    default:
      return ZATT_EDISK;
  }
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
  server::ClientLimits limits;
  limits.max_line_bytes = narrow<std::size_t>(settings.node.max_request_bytes);
  auto created = server::Server::create(
      loop_, settings.listen, limits,
      {.log = [this](node::LogLevel level, std::string_view line) { on_log(level, line); },
       .on_stopped =
           [this](int exit_code) {
             exit_code_ = exit_code;
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
  if (machine_) return server_->open(settings.node, std::move(*disk), *machine_, nullptr);
  return server_->open(settings.node, std::move(*disk), store_, &store_);
}

// --- from any thread -----------------------------------------------------------------------------

int Embedded::ask(const zatt_request* request, zatt_on_reply on_reply, void* user) noexcept {
  Asked asked;
  asked.on_reply = on_reply;
  asked.user = user;
  const std::lock_guard lock(mutex_);
  if (ended_) return ZATT_ESTOPPED;
  if (const int error = prepare(request, asked); error != ZATT_OK) return error;
  if (waiting_bytes_ + asked.cost() > max_waiting_bytes && waiting_bytes_ > 0)
    return ZATT_EOVERLOADED;
  waiting_bytes_ += asked.cost();
  queue_.push_back(std::move(asked));
  wake_->send();
  return ZATT_OK;
}

int Embedded::prepare(const zatt_request* given, Asked& asked) {
  zatt_request request;
  if (!widen(given, request)) return ZATT_EINVAL;
  asked.timeout_ms = static_cast<std::uint32_t>(timeout_of(request.timeout_ms, host_.timeout_ms));
  if (asked.timeout_ms == 0) return ZATT_EINVAL;
  if (request.op == ZATT_OP_PROPOSE || request.op == ZATT_OP_BARRIER) {
    const bool barrier = request.op == ZATT_OP_BARRIER;
    if (!barrier && request.value.data == nullptr) return ZATT_EINVAL;
    asked.kind = barrier ? Asked::Kind::barrier : Asked::Kind::proposal;
    asked.only_reads = barrier;
    if (!barrier) asked.bytes = view(request.value);
    asked.size = asked.bytes.size();
    return ZATT_OK;
  }
  client::Request wanted;
  const char* why = nullptr;
  if (to_request(request, wanted, why) != ZATT_OK) return ZATT_EINVAL;
  auto line = writer_.begin(wanted);
  if (!line) return ZATT_EINVAL;
  asked.bytes = std::move(*line);
  client::RequestWriter::end(asked.bytes, wanted.op, asked.timeout_ms);
  asked.size = asked.bytes.size() - 1;  // no newline
  asked.bytes.append(codec::line_slack, '\0');
  asked.only_reads = writer_.only_reads(wanted);
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
  hand_over();
  for (; stops > 0; --stops) server_->stop();
  if (exit_code_) finish(stop_error(*exit_code_));
}

// What was asked goes to the node as long as it wants more.
void Embedded::hand_over() {
  while (!exit_code_ && server_->wants_more(id_)) {
    Asked asked;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) return;
      asked = std::move(queue_.front());
      queue_.pop_front();
    }
    std::string bytes = std::move(asked.bytes);
    const Asked& handed = handed_.emplace_back(std::move(asked));
    switch (handed.kind) {
      case Asked::Kind::line:
        server_->ask_line(id_, std::string_view(bytes).substr(0, handed.size));
        break;
      case Asked::Kind::proposal:
        server_->propose(id_, std::move(bytes), handed.timeout_ms);
        break;
      case Asked::Kind::barrier:
        server_->ask_barrier(id_, handed.timeout_ms);
        break;
    }
  }
}

void Embedded::on_line(std::string_view line) {
  auto reply = reader_.read(line);
  ZATT_ASSERT(reply.has_value());
  answer(ReplyBox(std::move(*reply)));
}

void Embedded::on_answer(const node::Answer& given) {
  if (given.refusal)
    return answer(ReplyBox(to_error(client::outcome_of(*given.refusal)), given.text));
  ReplyBox reply(ZATT_OK, "");
  if (handed_.front().kind == Asked::Kind::proposal) reply.set_result(given.text, raw(given.index));
  answer(reply);
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
    const int error = handed_.front().only_reads ? unread_error : ZATT_EUNKNOWN;
    answer(ReplyBox(error, zatt_error_text(error)));
  }
  handed_.swap(unsent);
  while (!handed_.empty()) answer(ReplyBox(unread_error, zatt_error_text(unread_error)));
}

}  // namespace zatt::capi
