// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/applier.h"

#include <utility>

#include "base/assert.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t read_bytes = 256 << 10;

}  // namespace

Applier::Applier(const Options& options, Env& env, const raft::Raft& raft, StateMachine& machine,
                 Persister& persister, OnApplied on_applied)
    : options_(options),
      env_(env),
      raft_(raft),
      machine_(machine),
      persister_(persister),
      on_applied_(std::move(on_applied)) {}

std::optional<raft::Applied> Applier::apply_committed() {
  wake_at_us_ = never_us;
  const Index before = applied_;
  while (applied_ < raft_.commit_index()) {
    const Index next = applied_ + 1;
    if (applied_ > before && env_.turn_is_over()) {
      hit(options_.instrumentation, CoveragePoint::apply_left_for_next_turn);
      wake_at_us_ = env_.now_us();
      break;
    }
    if (inject(options_.instrumentation, FaultPoint::delay_apply)) {
      wake_at_us_ = env_.now_us() + 1000 * (1 + env_.random() % 100);
      break;
    }
    if (!raft_.log().in_memory(next)) {
      if (read_ == 0) read_ = persister_.read(next, read_bytes);
      break;
    }
    apply(raft_.log().at(next).view());
  }
  if (std::exchange(told_, applied_) == applied_) return std::nullopt;
  return raft::Applied{applied_};
}

bool Applier::take_read(const storage::Storage::ReadDone& read) {
  if (read.number != read_) return false;
  if (read.is_last) read_ = 0;
  for (const Entry& entry : read.entries) {
    if (entry.index != applied_ + 1 || entry.index > raft_.commit_index()) continue;
    ZATT_ASSERT(raft_.log().holds(entry.index, entry.term));
    apply(entry.view());
  }
  return true;
}

void Applier::apply(const EntryView& entry) {
  ZATT_ASSERT(entry.index == applied_ + 1);
  reply_.clear();
  if (entry.kind == EntryKind::command)
    machine_.apply(entry.index, entry.time_us, entry.body, reply_);
  applied_ = entry.index;
  on_applied_(entry.index, entry.term, reply_);
}

}  // namespace zatt::node
