// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/dispatcher.h"

#include <utility>

namespace zatt::node {
namespace {

using State = PendingRequest::State;
using codec::ErrorCode;

constexpr std::string_view too_many_text =
    "too many requests wait already; try again a little later";

constexpr std::string_view too_fast_text =
    "writes come faster than the cluster takes them; nothing was written; try again a little later";

}  // namespace

void Dispatcher::admit(ClientQueue& client, PendingRequest& pending) {
  if (p_.clients.refuses_waiting())
    p_.clients.return_to_waiting(pending.id);
  else if (auto failure = refusal_of(pending))
    p_.clients.finish(pending, std::move(*failure));
  else
    dispatch(client);
}

std::optional<codec::Failure> Dispatcher::refusal_of(PendingRequest& pending) const {
  if (is_stale_read(pending.request)) return std::nullopt;
  const auto overloaded = [](std::string_view why) {
    return codec::Failure{ErrorCode::overloaded, std::string(why)};
  };
  if (p_.clients.has_too_many()) return overloaded(too_many_text);
  if (!is_write(pending)) return std::nullopt;
  if (p_.writes.has_too_many()) return overloaded(too_many_text);
  if (waits_too_long(pending)) return overloaded(too_fast_text);
  if (p_.raft.is_leader() && p_.writes.has_no_room_for(grows(pending)))
    return codec::Failure{ErrorCode::storage_full, std::string(no_room_text)};
  return std::nullopt;
}

std::optional<Target> Dispatcher::target() const {
  const auto leader = p_.raft.leader();
  if (!leader) return std::nullopt;
  if (p_.raft.is_leader()) return Target{LinkId::none, p_.raft.current_term()};
  const PeerConnection* peer = p_.connections.find(*leader);
  if (peer == nullptr || !p_.peers.is_attached(*leader)) return std::nullopt;
  const Target target{peer->id, p_.raft.current_term()};
  return target == rejected_ ? std::nullopt : std::optional(target);
}

void Dispatcher::dispatch_waiting() {
  p_.clients.visit_woken([this](ClientQueue& client) { dispatch(client); });
  dispatch_in_turn();
}

void Dispatcher::dispatch_in_turn() {
  if (waiting_.empty()) return;
  const auto to = target();
  while (!waiting_.empty() && to &&
         (p_.writes.may_take(to->link) ||
          !p_.writes.is_in_time(to->link, waiting_.front().deadline_us))) {
    ClientQueue* client = p_.clients.find(waiting_.front().client);
    waiting_bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
    if (client == nullptr) continue;
    client->awaits_turn = false;
    next_in_turn_ = client;
    dispatch(*client);
    next_in_turn_ = nullptr;
  }
}

bool Dispatcher::waits_too_long(const PendingRequest& pending) const {
  if (waiting_.empty()) return false;
  const auto to = target();
  return to && p_.env.now_us() + p_.writes.wait_us(to->link, waiting_bytes_) > pending.deadline_us;
}

// In turn: small writes would else leave no room for large ones, and one client none for others.
bool Dispatcher::may_hand_on(const PendingRequest& pending, const Target& target) {
  ClientQueue& client = *pending.client;
  const bool is_its_turn = waiting_.empty() || std::exchange(next_in_turn_, nullptr) == &client;
  if (is_its_turn && p_.writes.may_take(target.link)) return true;
  if (std::exchange(client.awaits_turn, true)) return false;
  hit(p_.options.instrumentation, CoveragePoint::write_waited);
  waiting_.push_back({client.id, pending.bytes, pending.deadline_us});
  waiting_bytes_ += pending.bytes;
  return false;
}

void Dispatcher::dispatch(ClientQueue& client) {
  if (client.waiting == 0) return;
  const auto to = target();
  // Those that wait stand at the queue's end, but for what a leader did not take.
  auto at = client.queue.end();
  std::uint32_t reads_before = client.reading;
  for (std::uint32_t left = client.waiting; left > 0;) {
    --at;
    if (at->state == State::waiting) --left;
    if (at->state == State::reading) --reads_before;
  }
  for (; at != client.queue.end(); ++at) {
    if (at->state == State::waiting && !dispatch(client, *at, to, reads_before > 0))
      return p_.clients.list_waiting(client);
    if (at->state == State::reading) ++reads_before;
  }
}

bool Dispatcher::dispatch(ClientQueue& client, PendingRequest& pending,
                          const std::optional<Target>& target, bool after_a_read) {
  if (is_stale_read(pending.request)) {
    p_.clients.set_state(pending, State::reading);
    p_.clients.set_readable(pending);
    return true;
  }
  if (!target) return false;
  // What an earlier leader may still answer comes first: else it could overtake, or be overtaken.
  if (client.has_targeted() && client.target != *target) return false;
  if (is_write(pending)) {
    if (after_a_read) return false;  // it must not see this write
    // It is refused while that is still certain to be true.
    if (!p_.writes.is_in_time(target->link, pending.deadline_us)) {
      p_.clients.finish_error(pending, ErrorCode::overloaded, too_fast_text);
      return true;
    }
    if (!may_hand_on(pending, *target)) return false;
    client.target = *target;
    p_.clients.set_state(pending, State::writing);
    if (inject(p_.options.instrumentation, FaultPoint::give_up_soon))
      p_.clients.deadlines().shorten(pending, p_.env.now_us());
    p_.writes.batch(pending, *target);
  } else {
    const bool unsettled = client.unsettled || client.writing > 0;
    client.target = *target;
    p_.clients.set_state(pending, State::reading);
    p_.reads.batch(pending, unsettled, *target);
  }
  return true;
}

void Dispatcher::expire() {
  while (PendingRequest* pending = p_.clients.deadlines().take_expired(p_.env.now_us()))
    expire(*pending);
}

void Dispatcher::expire(PendingRequest& pending) {
  switch (pending.state) {
    case State::writing:
      hit(p_.options.instrumentation, CoveragePoint::outcome_unknown);
      pending.client->unsettled = true;
      p_.clients.finish_error(
          pending, ErrorCode::outcome_unknown,
          "the write was handed to the cluster and not confirmed in time: it may take "
          "effect now, later or never; a read on this connection settles it");
      return;
    case State::reading:
      if (pending.readable) return expire_readable(pending);
      [[fallthrough]];
    case State::waiting:
      if (is_stale_read(pending.request)) return;  // it only waits for its turn
      if (!target())
        p_.clients.finish_error(pending, ErrorCode::no_leader, p_.status.why_no_leader());
      else if (is_write(pending) && pending.client->awaits_turn)
        p_.clients.finish_error(pending, ErrorCode::overloaded, too_fast_text);
      else if (is_write(pending))
        p_.clients.finish_error(pending, ErrorCode::no_leader,
                                "the leader could not be reached in time; nothing was written");
      else
        p_.clients.finish_error(pending, ErrorCode::unavailable,
                                pending.confirmed
                                    ? why_not_caught_up()
                                    : "the leader could not confirm in time that it still leads");
      return;
    case State::done:
      return;
  }
}

// Its answer waits for its client to read, however long that takes; or for room that others have.
void Dispatcher::expire_readable(PendingRequest& pending) {
  if (pending.client->waits_for_room)
    p_.clients.finish_error(pending, ErrorCode::overloaded,
                            "there was no room for the answer in time: too many clients do not "
                            "read theirs");
}

// The leader has done its part: it is this node that is behind.
std::string Dispatcher::why_not_caught_up() const {
  return std::string("the leader has confirmed the read, and this node has not caught up in time") +
         (p_.persister.is_slow()
              ? ": its own disk does not answer, or takes over a second; ask another node"
          : p_.persister.told_room() != DiskSpace::enough
              ? ": its own disk has no room; ask another node"
              : "");
}

}  // namespace zatt::node
