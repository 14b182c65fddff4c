// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/write_tracker.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace zatt::raft {

namespace {

bool is_overtaken_by_the_next(const Message& message) {
  const auto* append = std::get_if<AppendReply>(&message);
  return std::holds_alternative<HeartbeatReply>(message) || (append != nullptr && append->success);
}

}  // namespace

void WriteTracker::add(std::uint64_t bytes) {
  begun_bytes_ += bytes;
  undurable_bytes_ += bytes;
}

void WriteTracker::submit(Index last, std::uint64_t now_us) {
  ZATT_ASSERT(writes_.empty() || writes_.back().number < last_write_);
  writes_.push_back({last_write_, last, std::exchange(begun_bytes_, 0), now_us});
}

void WriteTracker::truncate(Index last) {
  durable_index_ = std::min(durable_index_, last);
  for (Write& write : writes_) write.last = std::min(write.last, last);
}

void WriteTracker::complete(WriteNumber write, std::uint64_t now_us) {
  ZATT_ASSERT(write >= durable_write_ && write <= last_write_);
  durable_write_ = write;
  completed_us_ = now_us;
  if (writes_.empty() || writes_.front().number > durable_write_) return;
  const std::uint64_t began_us =
      std::max(writes_.front().begun_us, std::exchange(worked_us_, now_us));
  std::uint64_t bytes = 0;
  while (!writes_.empty() && writes_.front().number <= durable_write_) {
    durable_index_ = std::max(durable_index_, writes_.front().last);
    bytes += writes_.front().bytes;
    writes_.pop_front();
  }
  undurable_bytes_ -= bytes;
  rate_.note(bytes, now_us - began_us);
}

bool WriteTracker::is_stuck(std::uint64_t now_us, std::uint64_t for_us) const {
  // A busy disk does not hang: what waits for other writes makes progress with them.
  return !writes_.empty() && now_us - std::max(writes_.front().begun_us, completed_us_) > for_us;
}

bool WriteTracker::may_send(WriteNumber after_write) const {
  return is_durable(std::max(after_write, term_write_));
}

void WriteTracker::defer(WriteNumber after_write, Envelope envelope) {
  ZATT_ASSERT(!may_send(after_write));
  ZATT_ASSERT(!std::holds_alternative<AppendEntries>(envelope.message));
  // A hanging disk fills no memory: the last answer says all that those before it said.
  if (is_overtaken_by_the_next(envelope.message))
    std::erase_if(deferred_, [&](const DeferredMessage& deferred) {
      return deferred.envelope.to == envelope.to &&
             deferred.envelope.message.index() == envelope.message.index() &&
             is_overtaken_by_the_next(deferred.envelope.message);
    });
  deferred_.push_back({std::max(after_write, term_write_), std::move(envelope)});
}

void WriteTracker::release(Term current_term, std::vector<Envelope>& out) {
  if (deferred_.empty()) return;
  std::deque<DeferredMessage> waiting;
  for (DeferredMessage& deferred : deferred_) {
    if (!is_durable(deferred.after_write))
      waiting.push_back(std::move(deferred));
    else if (term_of(deferred.envelope.message) >= current_term)
      out.push_back(std::move(deferred.envelope));
  }
  deferred_ = std::move(waiting);
}

}  // namespace zatt::raft
