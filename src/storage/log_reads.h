// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads of old entries, beside the writes: what was asked for, and what is under way.
//
// A read is answered in pieces of about 256 KiB. While one is under way the next is asked for, and
// no more than that: so what is read and not yet answered is bounded. Only what a sync has covered
// is read, and the segment that holds it is left alone meanwhile (SegmentPool::hold). A cut may
// still come between: what it took away is answered as gone, never as damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/instrumentation.h"
#include "base/result.h"
#include "base/types.h"
#include "storage/batch.h"
#include "storage/log_extent.h"
#include "storage/segment_pool.h"
#include "storage/segments.h"
#include "storage/storage.h"

namespace zatt::storage {

class LogReads {
 public:
  // `instrumentation` is borrowed.
  explicit LogReads(Instrumentation* instrumentation) : instrumentation_(instrumentation) {}

  // As Storage::read().
  std::uint64_t ask(Index first, std::uint64_t max_bytes, Index last);
  bool is_idle() const { return waiting_.empty() && under_way_.empty(); }

  // The next piece, of a log that is durable up to `durable`; one with nothing to read has no step.
  // Its segment is held in `pool` until finish().
  std::optional<Batch> next(const std::vector<Segment>& segments, Index durable, SegmentPool& pool,
                            std::uint64_t now_us);
  // When next() could have something by itself.
  std::uint64_t wake_at_us() const;
  // The log ends at `last` from here on.
  void truncate(Index last);
  // What came of the oldest piece under way; nothing where it is to be read once more, or no longer
  // wanted. Code::corrupt where a record that is still of the log does not check any more.
  Result<std::optional<Storage::ReadDone>> finish(BatchResult result, std::uint64_t incarnation,
                                                  SegmentPool& pool, std::uint64_t now_us);

 private:
  struct Question {
    std::uint64_t number = 0;
    Index next{};
    Index last{};
    std::uint64_t left = 0;  // bytes
  };
  struct Piece {
    Question question;             // as it was when this was taken of it
    std::optional<Extent> extent;  // nothing: there is nothing to read
    bool is_last = false;
    bool is_dropped = false;
  };

  // Forgets what is left of a question, and its pieces under way.
  void drop(std::uint64_t number);

  Instrumentation* instrumentation_;
  std::uint64_t last_number_ = 0;
  std::deque<Question> waiting_;  // in turn
  std::deque<Piece> under_way_;
  std::uint64_t retry_at_us_ = 0;
};

}  // namespace zatt::storage
