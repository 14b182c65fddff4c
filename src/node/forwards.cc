// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/forwards.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.h"

namespace zatt::node {
namespace {

using codec::ErrorCode;
using codec::ForwardReply;
using Fate = ForwardReply::What;

// What a forward takes beside its command: its frame, its place in the tables of both ends, and the
// longest result that is sent.
constexpr std::uint64_t forward_bytes = 128 + codec::max_result_bytes;
constexpr std::uint64_t write_off_every_us = 100'000;
constexpr std::uint64_t most_decision_us = 1'000'000;

constexpr std::string_view not_told_text =
    "the write was decided, and its result is not known here: it has taken effect or was refused; "
    "a read on this connection settles it";

}  // namespace

bool Forwards::may_send(LinkId id) {
  if (connections_.unsent_bytes(id) >= Env::crowded_link_bytes) return false;
  const auto it = links_.find(id);
  if (it == links_.end() || it->second.bytes < limit(it->second)) return true;
  if (connections_.unsent_bytes(id) == 0) write_off_abandoned(it->second);
  return it->second.bytes < limit(it->second);
}

// No more than is decided in about a second: what waits here can be refused for certain, what waits
// at the leader cannot.
std::uint64_t Forwards::limit(const Link& link) {
  if (link.decision_us <= most_decision_us) return link.credit;
  return std::max<std::uint64_t>(link.credit * most_decision_us / link.decision_us, 1);
}

void Forwards::write_off_abandoned(Link& link) {
  const std::uint64_t now = connections_.now_us();
  if (now - link.looked_us < write_off_every_us) return;
  link.looked_us = now;
  for (auto it = link.sent.begin(); it != link.sent.end();) {
    const Sent& sent = it->second;
    if (sent.index > Index{0} || clients_.find_request(sent.request) != nullptr) {
      ++it;
      continue;
    }
    link.bytes -= sent.bytes;
    it = link.sent.erase(it);
  }
}

std::uint64_t Forwards::wait_us(LinkId id, std::uint64_t bytes) const {
  const auto it = links_.find(id);
  return it == links_.end() ? 0 : it->second.decision_us * (bytes / limit(it->second));
}

bool Forwards::is_in_time(LinkId id, std::uint64_t deadline_us) {
  const auto it = links_.find(id);
  if (it == links_.end() || is_in_time(it->second, deadline_us)) return true;
  // What counts against it may have been lost long ago.
  if (connections_.unsent_bytes(id) == 0) write_off_abandoned(it->second);
  return is_in_time(it->second, deadline_us);
}

bool Forwards::is_in_time(const Link& link, std::uint64_t deadline_us) const {
  if (link.sent.empty()) return true;  // whatever it was like before
  const std::uint64_t now = connections_.now_us();
  return comes_in_time(now, link.decision_us, now - link.sent.begin()->second.sent_us, deadline_us);
}

// Long ones are remembered for a while.
void Forwards::count_decided(Link& link, const Sent& sent) {
  link.bytes -= sent.bytes;
  link.decision_us =
      std::max(connections_.now_us() - sent.sent_us, link.decision_us - link.decision_us / 8);
}

void Forwards::send(PendingRequest& pending, const Target& target) {
  PeerConnection* peer = connections_.find_link(target.link);
  ZATT_ASSERT(peer != nullptr);
  codec::Forward forward;
  forward.number = ++peer->last_number_sent;
  forward.term = target.term;
  forward.grows = grows(pending);
  forward.command = *command_of(pending.request);
  forward.any_result = persister_.told_room() != DiskSpace::enough;
  const std::uint64_t result_bytes = forward.any_result ? options_.max_request_bytes : 0;
  const std::uint64_t bytes = forward_bytes + forward.command.size() + result_bytes;
  Link& link = links_[peer->id];
  link.bytes += bytes;
  link.sent[forward.number] = {pending.id, target.term, {}, bytes, connections_.now_us()};
  connections_.send(*peer, Priority::bulk, forward);
}

Forwards::Answered Forwards::on_reply(PeerConnection& peer, const ForwardReply& reply) {
  const auto link = links_.find(peer.id);
  if (link == links_.end()) return {};
  if (reply.credit > 0) link->second.credit = reply.credit;
  if (reply.what == Fate::proposed) return on_proposed(peer.id, reply), Answered{};
  const auto it = link->second.sent.find(reply.number);
  if (it == link->second.sent.end()) return {};
  if (reply.what == Fate::applied) note_proposed(peer.id, it->first, it->second, reply.index);
  const Sent sent = it->second;
  if (reply.what == Fate::applied && sent.index > Index{0})
    return {raft::LeaderCommit{sent.term, sent.index}, std::nullopt};  // it is applied here soon
  remove(peer.id, reply.number);
  PendingRequest* pending = clients_.find_request(sent.request);
  if (pending == nullptr) return {};
  switch (reply.what) {
    case Fate::proposed:
      break;
    case Fate::result:
      clients_.finish_applied(*pending, std::string(reply.result), reply.index);
      break;
    case Fate::applied:
      finish_unknown(sent.request, not_told_text);
      break;
    case Fate::not_taken:
      hit(options_.instrumentation, CoveragePoint::forward_not_taken);
      clients_.return_to_waiting(sent.request);
      return {std::nullopt, Target{peer.id, sent.term}};
    case Fate::overloaded:
      clients_.finish_error(*pending, ErrorCode::overloaded,
                            "too many writes wait at the leader already");
      break;
    case Fate::storage_full:
      clients_.finish_error(*pending, ErrorCode::storage_full, no_room_text);
      break;
    case Fate::replaced:
      finish_replaced(sent.request);
      break;
  }
  return {};
}

void Forwards::on_proposed(LinkId id, const ForwardReply& reply) {
  Link& link = links_.at(id);
  auto it = link.sent.lower_bound(reply.number);
  while (it != link.sent.end() && it->first - reply.number < reply.count) {
    note_proposed(id, it->first, it->second, reply.index + (it->first - reply.number));
    ++it;
  }
}

// Where the machine is past it already, as it may be when another leader's word was faster, only a
// result that is sent can tell.
void Forwards::note_proposed(LinkId link, std::uint64_t number, Sent& sent, Index index) {
  if (sent.index > Index{0} || index <= applied_) return;
  sent.index = index;
  proposed_.emplace(index, Proposed{sent.term, sent.request, link, number});
}

void Forwards::on_applied(Index index, Term term, std::string_view reply) {
  applied_ = index;
  const bool is_later_term = std::exchange(applied_term_, term) < term;
  // Terms do not fall along a log: after a committed entry of this term, none of an earlier one is
  // ever committed.
  for (auto it = proposed_.begin();
       it != proposed_.end() && (it->first <= index || is_later_term);) {
    const auto [at, forward] = *it;
    if (at > index && forward.term >= term) {
      ++it;
      continue;
    }
    it = proposed_.erase(it);
    forget(forward);
    PendingRequest* pending = clients_.find_request(forward.request);
    if (at < index) {  // the machine has been put past it
      finish_unknown(forward.request, not_told_text);
    } else if (at > index || forward.term != term) {
      finish_replaced(forward.request);
    } else if (pending != nullptr) {
      hit(options_.instrumentation, CoveragePoint::forward_applied_here);
      clients_.finish_applied(*pending, std::string(reply), index);
    }
  }
}

void Forwards::forget(const Proposed& forward) {
  const auto link = links_.find(forward.link);
  if (link == links_.end()) return;
  const auto sent = link->second.sent.find(forward.number);
  if (sent == link->second.sent.end()) return;
  count_decided(link->second, sent->second);
  link->second.sent.erase(sent);
}

void Forwards::finish_replaced(RequestId request) {
  hit(options_.instrumentation, CoveragePoint::forward_replaced);
  if (PendingRequest* pending = clients_.find_request(request))
    clients_.finish_error(*pending, ErrorCode::no_leader, replaced_text);
}

void Forwards::finish_unknown(RequestId request, std::string_view text) {
  PendingRequest* pending = clients_.find_request(request);
  if (pending == nullptr) return;
  hit(options_.instrumentation, CoveragePoint::forward_lost);
  pending->client->unsettled = true;
  clients_.finish_error(*pending, ErrorCode::outcome_unknown, text);
}

void Forwards::remove(LinkId id, std::uint64_t number) {
  Link& link = links_.at(id);
  const auto it = link.sent.find(number);
  const Sent sent = it->second;
  count_decided(link, sent);
  link.sent.erase(it);
  if (sent.index > Index{0}) remove_proposed(sent.index, id, number);
}

void Forwards::remove_proposed(Index index, LinkId link, std::uint64_t number) {
  const auto [first, last] = proposed_.equal_range(index);
  for (auto it = first; it != last; ++it) {
    if (it->second.link != link || it->second.number != number) continue;
    proposed_.erase(it);
    return;
  }
}

void Forwards::lose(LinkId id) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  const Link lost = std::move(it->second);
  links_.erase(it);
  for (const auto& [number, sent] : lost.sent)
    if (sent.index == Index{0})
      finish_unknown(sent.request,
                     "the connection to the leader was lost while it had the write: it may take "
                     "effect now, later or never; a read on this connection settles it");
}

}  // namespace zatt::node
