// SPDX-License-Identifier: AGPL-3.0-or-later
// What a cluster replicates: anything that turns commands into replies, always in the same way.
//
// node/ drives it and knows no more of it than this; kv/ is the one we ship, and a program that
// embeds a node may bring its own. Every call comes on the node's one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace zatt {

class StateMachine {
 public:
  StateMachine() = default;
  StateMachine(const StateMachine&) = delete;
  StateMachine& operator=(const StateMachine&) = delete;
  virtual ~StateMachine() = default;

  // Carries out one committed command and puts its reply in `reply` (which comes empty). Total and
  // deterministic: the same commands at the same indexes and times give the same state and the same
  // replies on every node, and nothing local (clock, memory, configuration) may decide a result.
  // Bytes that are no command change nothing and get a reply too. Indexes ascend, with gaps.
  // `time_us` is the entry's (EntryView): the same on every node, never less than at the call
  // before. `command` is borrowed for the call.
  virtual void apply(Index index, std::uint64_t time_us, std::string_view command,
                     std::string& reply) = 0;

  // Slices out: the state as of begin_snapshot, in slices of about max_bytes, while apply goes on
  // in between. next_slice appends to `out`, always something and at most max_bytes and one entry,
  // and answers whether more slices follow. end_snapshot ends a complete one, gives up one under
  // way, and does nothing without one. One snapshot at a time.
  virtual void begin_snapshot() = 0;
  virtual bool next_slice(std::size_t max_bytes, std::string& out) = 0;
  virtual void end_snapshot() = 0;

  // Slices in: drops the state (and gives up a snapshot under way), takes the slices in the order
  // and sizes they came out, and ends with the state they describe. Code::corrupt where they do not
  // parse or do not add up to what was written, Code::newer where a later version wrote them. From
  // begin_restore to an end_restore that went well only these three may be called: after an error,
  // begin_restore again.
  virtual void begin_restore() = 0;
  virtual Status restore_slice(std::string_view slice) = 0;
  virtual Status end_restore() = 0;
};

}  // namespace zatt
