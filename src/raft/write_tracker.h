// SPDX-License-Identifier: AGPL-3.0-or-later
// What the disk has kept so far, and which messages wait for it.
//
// Writes are numbered: an index alone could not say which entry 16 is durable, since a truncation
// lowers what is under way. A message that rests on a write is held until that write is durable.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/types.h"
#include "raft/disk_rate.h"
#include "raft/message.h"

namespace zatt::raft {

class WriteTracker {
 public:
  // What was found on disk is durable up to `last`. Before the first write.
  void restore(Index last) { durable_index_ = last; }

  // The number of the next write: one more than the last.
  WriteNumber begin() { return ++last_write_; }
  // The write last begun goes to the disk; once it is durable, so is the log up to `last`.
  void submit(Index last, std::uint64_t now_us);
  // So many bytes of entries more are to be made durable by it.
  void add(std::uint64_t bytes);
  // The log ends at `last` from here on, for the writes under way too.
  void truncate(Index last);
  // Every write up to this number is durable. Numbers may be repeated, and never sink: a repeated
  // one is a sign of life, of a disk that has kept a part of the next.
  void complete(WriteNumber write, std::uint64_t now_us);

  Index durable_index() const { return durable_index_; }
  std::uint64_t undurable_bytes() const { return undurable_bytes_; }
  const DiskRate& disk_rate() const { return rate_; }
  bool is_durable(WriteNumber write) const { return write <= durable_write_; }
  // Whether the oldest write under way, and the disk as a whole, have made no progress for so long.
  bool is_stuck(std::uint64_t now_us, std::uint64_t for_us) const;

  // Nothing may be sent before this write, which keeps current_term: after a crash the server must
  // not act in a lower term than it has spoken in.
  void set_term_write(WriteNumber write) { term_write_ = write; }
  // Whether a message that rests on this write may be sent now; of 0: on nothing but the term.
  bool may_send(WriteNumber after_write) const;
  // Holds one that may not. No AppendEntries, whose entries are borrowed.
  void defer(WriteNumber after_write, Envelope envelope);
  // Moves to `out` what may be sent by now, in the order it was deferred; what speaks of a term
  // below `current_term` is dropped.
  void release(Term current_term, std::vector<Envelope>& out);

 private:
  struct Write {
    WriteNumber number{};
    Index last{};
    std::uint64_t bytes = 0;
    std::uint64_t begun_us = 0;
  };
  struct DeferredMessage {
    WriteNumber after_write{};
    Envelope envelope;
  };

  WriteNumber last_write_{};
  WriteNumber durable_write_{};
  WriteNumber term_write_{};
  std::uint64_t completed_us_ = 0;  // when the disk last kept something
  std::uint64_t worked_us_ = 0;     // when it last was done with a write
  DiskRate rate_;
  std::uint64_t undurable_bytes_ = 0;
  std::uint64_t begun_bytes_ = 0;  // of the write last begun, and not submitted
  Index durable_index_{};
  std::deque<Write> writes_;  // under way, ascending
  std::deque<DeferredMessage> deferred_;
};

}  // namespace zatt::raft
