// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's line until it is handed on, and what becomes of it when its time is up.
#include <utility>

#include "node/replica.h"

namespace zatt::node {
namespace {

using Kind = PendingRequest::Kind;
using State = PendingRequest::State;
using codec::ErrorCode;
using codec::RequestOp;

constexpr std::uint64_t max_pending_bytes = 64 << 20;  // of all clients' requests
constexpr std::size_t max_waiters = 100'000;           // proposals that are not applied

constexpr std::string_view no_machine =
    "this cluster replicates zatt's dictionary, not a state machine of its own";

}  // namespace

void Replica::on_line(ClientId id, std::string_view line, bool too_long) {
  ClientQueue* client = clients_.find(id);
  if (client == nullptr) return;
  if (too_long) {
    refuse(*client, {ErrorCode::too_large, too_large_text(), {}});
    return;
  }
  auto parsed = parser_.parse(line);
  if (const auto* refusal = std::get_if<codec::Refusal>(&parsed)) {
    refuse(*client, *refusal);
    return;
  }
  PendingRequest& pending =
      enqueue(*client, Kind::line, std::move(std::get<codec::Request>(parsed)));
  if (pending.request.op == RequestOp::ping) {
    std::string reply;
    codec::write_ping(reply, pending.request.id);
    clients_.finish(pending, std::move(reply));
  } else if (pending.request.op == RequestOp::status) {
    finish_status(pending);
  } else if (store_ == nullptr) {
    finish_error(pending, ErrorCode::bad_request,
                 "this cluster replicates a state machine of its own");
  } else if (pending.request.stale && !shutting_down_) {
    finish_read(pending, true);
    if (!clients_.has_room(*client)) clients_.flush();  // whoever reads its lines may now stop
  } else {
    admit(*client, pending);
  }
}

void Replica::on_propose(ClientId id, std::string command, std::uint32_t timeout_ms) {
  ClientQueue* client = clients_.find(id);
  if (client == nullptr) return;
  const bool too_large = command.size() > options_.max_request_bytes;
  codec::Request request;
  request.timeout_ms = timeout_ms;
  if (!too_large) request.command = std::move(command);
  PendingRequest& pending = enqueue(*client, Kind::proposal, std::move(request));
  if (store_ != nullptr)
    finish_error(pending, ErrorCode::bad_request, no_machine);
  else if (too_large)
    finish_error(pending, ErrorCode::too_large, too_large_text());
  else
    admit(*client, pending);
}

void Replica::on_barrier(ClientId id, std::uint32_t timeout_ms) {
  ClientQueue* client = clients_.find(id);
  if (client == nullptr) return;
  codec::Request request;
  request.timeout_ms = timeout_ms;
  PendingRequest& pending = enqueue(*client, Kind::barrier, std::move(request));
  if (store_ != nullptr)
    finish_error(pending, ErrorCode::bad_request, no_machine);
  else
    admit(*client, pending);
}

void Replica::refuse(ClientQueue& client, const codec::Refusal& refusal) {
  PendingRequest& pending = clients_.add(client, Kind::line, {}, UINT64_MAX);
  std::string reply;
  codec::write_error(reply, refusal.id, refusal.code, refusal.message);
  clients_.finish(pending, std::move(reply));
}

PendingRequest& Replica::enqueue(ClientQueue& client, Kind kind, codec::Request request) {
  const std::uint64_t deadline = env_.now_us() + 1000ULL * request.timeout_ms;
  return clients_.add(client, kind, std::move(request), deadline);
}

// What only a leader can settle.
void Replica::admit(ClientQueue& client, PendingRequest& pending) {
  if (shutting_down_)
    finish_error(pending, ErrorCode::shutting_down, "this node is stopping");
  else if (const auto error = load_error(pending))
    finish_error(pending, *error,
                 *error == ErrorCode::storage_full
                     ? no_room_text
                     : "too many requests wait already; try again a little later");
  else
    dispatch(client);
}

std::string Replica::too_large_text() const {
  return "a request may be up to " + std::to_string(options_.max_request_bytes) +
         " bytes long here; max_request_bytes in this node's configuration raises that (to "
         "16777216)";
}

std::optional<ErrorCode> Replica::load_error(const PendingRequest& pending) const {
  if (clients_.bytes() - pending.bytes > max_pending_bytes) return ErrorCode::overloaded;
  if (!is_write(pending)) return std::nullopt;
  if (has_too_many_writes()) return ErrorCode::overloaded;
  if (raft_->is_leader() && has_no_room_for(grows(pending))) return ErrorCode::storage_full;
  return std::nullopt;
}

// Asked of a leader.
bool Replica::has_no_room_for(bool growth) const {
  return raft_->room() > (growth ? DiskSpace::enough : DiskSpace::low);
}

// What waits for the disk, for a majority, or for the machine is in memory.
bool Replica::has_too_many_writes() const {
  return storage_->pending_bytes() > max_unsynced_bytes ||
         raft_->log().bytes_in_memory() > options_.max_log_bytes + max_unsynced_bytes ||
         waiters_.size() > max_waiters ||
         zatt::inject(options_.instrumentation, FaultPoint::overload);
}

std::optional<Target> Replica::target() const {
  const auto leader = raft_->leader();
  if (!leader) return std::nullopt;
  if (raft_->is_leader()) return Target{0, raft_->current_term()};
  const PeerConnection* link = links_.find(*leader);
  if (link == nullptr || !in_raft_.contains(*leader)) return std::nullopt;
  const Target target{link->id, raft_->current_term()};
  return target == rejected_target_ ? std::nullopt : std::optional(target);
}

// Until nothing moves: alone, a read is answered as soon as it is asked, and a write may wait for
// it.
void Replica::dispatch_all() {
  do {
    if (std::exchange(retry_waiting_, false)) {
      const std::set<ClientId> waiting = clients_.waiting();
      for (const ClientId id : waiting)
        if (ClientQueue* client = clients_.find(id)) dispatch(*client);
    }
    propose_gathered();
    if (!retry_waiting_ && gathered_.empty()) ask_for_reads();
  } while (retry_waiting_ || !gathered_.empty());
}

void Replica::dispatch(ClientQueue& client) {
  const auto to = target();
  if (!to || client.waiting == 0) return;
  // Those that wait stand at the queue's end, but for what a leader did not take.
  auto at = client.queue.end();
  for (std::uint32_t left = client.waiting; left > 0;)
    if ((--at)->state == State::waiting) --left;
  for (; at != client.queue.end(); ++at)
    if (at->state == State::waiting && !dispatch(client, *at, *to)) return;
}

bool Replica::dispatch(ClientQueue& client, PendingRequest& pending, const Target& target) {
  const bool under_way = client.writing + client.reading > 0;
  // What an earlier leader may still answer comes first: else it could overtake, or be overtaken.
  if (under_way && client.target != target) return false;
  if (is_write(pending)) {
    if (client.reading > 0) return false;  // the read must not see this write
    client.target = target;
    clients_.set_state(pending, State::writing);
    if (zatt::inject(options_.instrumentation, FaultPoint::give_up_soon))
      clients_.shorten_deadline(pending, env_.now_us());
    batch_write(pending, target);
  } else {
    const bool unsettled = client.unsettled || client.writing > 0;
    client.target = target;
    clients_.set_state(pending, State::reading);
    batch_read(pending, unsettled, target);
  }
  return true;
}

void Replica::back_to_waiting(Token token) {
  PendingRequest* pending = clients_.find_token(token);
  if (pending == nullptr) return;
  if (shutting_down_) return refuse_stopping(*pending);
  pending->readable = pending->confirmed = false;
  clients_.set_state(*pending, State::waiting);
  retry_waiting_ = true;
}

// One that is in nobody's hands: refused for certain.
void Replica::refuse_stopping(PendingRequest& pending) {
  ClientQueue& client = *clients_.find(pending.client);
  finish_error(pending, ErrorCode::shutting_down, "this node is stopping");
  finish_readable(client);  // it may have stood in the way of reads behind it
}

void Replica::finish_error(PendingRequest& pending, ErrorCode code, std::string_view message) {
  if (pending.kind == Kind::line) {
    std::string reply;
    codec::write_error(reply, pending.request.id, code, message);
    clients_.finish(pending, std::move(reply));
  } else {
    clients_.finish(pending, Answer{code, std::string(message), {}});
  }
  retry_waiting_ = true;  // what stood behind it may go on
}

void Replica::expire() {
  for (const Token token : clients_.expired(env_.now_us())) {
    PendingRequest* pending = clients_.find_token(token);
    if (pending == nullptr) continue;
    ClientQueue& client = *clients_.find(pending->client);
    expire(*pending);
    finish_readable(client);  // it may have stood in the way of reads behind it
  }
}

void Replica::expire(PendingRequest& pending) {
  const bool led = target().has_value();
  switch (pending.state) {
    case State::writing:
      hit(CoveragePoint::outcome_unknown);
      clients_.find(pending.client)->unsettled = true;
      finish_error(pending, ErrorCode::outcome_unknown,
                   "the write was handed to the cluster and not confirmed in time: it may take "
                   "effect now, later or never; a read on this connection settles it");
      return;
    case State::reading:
      if (pending.readable) return;  // its answer only waits for its client to read
      [[fallthrough]];
    case State::waiting:
      if (!led)
        finish_error(pending, ErrorCode::no_leader, why_no_leader());
      else if (is_write(pending))
        finish_error(pending, ErrorCode::no_leader,
                     "the leader could not be reached in time; nothing was written");
      else
        finish_error(pending, ErrorCode::unavailable,
                     pending.confirmed
                         ? why_not_caught_up()
                         : "the leader could not confirm in time that it still leads");
      return;
    case State::done:
      return;
  }
}

// The leader has done its part: it is this node that is behind.
std::string Replica::why_not_caught_up() const {
  return std::string("the leader has confirmed the read, and this node has not caught up in time") +
         (is_disk_slow()
              ? ": its own disk does not answer, or takes over a second; ask another node"
          : room_ != DiskSpace::enough ? ": its own disk has no room; ask another node"
                                       : "");
}

}  // namespace zatt::node
