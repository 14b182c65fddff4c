// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/write_tracker.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace zatt::raft {

void WriteTracker::submit(Index last, std::uint64_t now_us) {
  ZATT_ASSERT(writes_.empty() || writes_.back().number < last_write_);
  writes_.push_back({last_write_, last, now_us});
}

void WriteTracker::truncate(Index last) {
  durable_index_ = std::min(durable_index_, last);
  for (Write& write : writes_) write.last = std::min(write.last, last);
}

void WriteTracker::complete(WriteNumber write, std::uint64_t now_us) {
  ZATT_ASSERT(write >= durable_write_ && write <= last_write_);
  durable_write_ = write;
  completed_us_ = now_us;
  while (!writes_.empty() && writes_.front().number <= durable_write_) {
    durable_index_ = std::max(durable_index_, writes_.front().last);
    writes_.pop_front();
  }
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
  if (std::holds_alternative<HeartbeatReply>(envelope.message))  // a hanging disk fills no memory
    std::erase_if(deferred_, [&](const DeferredMessage& deferred) {
      return deferred.envelope.to == envelope.to &&
             std::holds_alternative<HeartbeatReply>(deferred.envelope.message);
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
