// SPDX-License-Identifier: AGPL-3.0-or-later
// The log's end: where entries gather, and how a batch of them is laid out on disk.
//
// docs/storage.md, rules 6, 7 and 15. Everything up to end() was durable when the present batch was
// taken, since every batch ends with a sync and one is in flight at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/instrumentation.h"
#include "storage/batch.h"
#include "storage/segment_pool.h"
#include "storage/segments.h"
#include "storage/slots.h"

namespace zatt::storage {

class LogWriter {
 public:
  // `configurations`: the indexes of the log's configuration entries, ascending.
  LogWriter(std::uint64_t incarnation, std::vector<Segment> segments, LogEnd end,
            std::vector<Index> configurations, Instrumentation* instrumentation);

  // --- gathering ------------------------------------------------------------------------------
  void truncate(Index last);
  void append(std::span<const EntryView> entries);
  Index last_index() const { return last_; }
  std::uint64_t gathered_bytes() const { return gathered_.bytes(); }
  bool has_work() const { return truncate_to_.has_value() || !gathered_.empty(); }
  std::optional<Index> pending_truncation() const { return truncate_to_; }

  // --- laying out -----------------------------------------------------------------------------
  // The entry a cut ends at, where its term and checksum have to be read first; then told.
  std::optional<Index> unknown_truncation_end() const;
  void tell_truncation_end(const LogEnd& end) { known_ = end; }
  // Steps that make durable what gathered: all of it, or as much as there are segments ready for.
  // The rest waits for one (waits_for_segment); nothing here makes a file longer. `file` is told of
  // every new segment, and of a configuration before that counts as durable.
  void lay_out(SegmentPool& pool, HardStateFile& file, std::vector<Step>& steps);
  // How large a segment has to be ready before more can be laid out.
  std::optional<std::uint64_t> waits_for_segment() const { return waits_for_segment_; }
  // Of all that is laid out, once those steps are done.
  LogEndRecord log_end() const;
  // The segment that a start begins with (rule 13): `tail` holds the entries after end(), which
  // nothing vouches for. The segments that it ends are the caller's to retire.
  std::vector<Segment> begin_copied_segment(RecordBuffer tail, SegmentPool& pool,
                                            HardStateFile& file, std::vector<Step>& steps);

  const std::vector<Segment>& segments() const { return segments_; }
  const LogEnd& end() const { return end_; }
  std::uint64_t room() const;  // bytes left for records in the present segment
  bool is_half_full() const;
  bool is_nearly_full() const;  // less than a quarter is left
  bool is_at_its_end() const;   // less than a sixteenth, or than a few units
  bool keeps_half_of_its_end(std::uint64_t bytes) const;  // after so many more bytes

 private:
  // How many bytes count as the end of the present segment.
  std::uint64_t end_bytes() const;
  Segment& present() { return segments_.back(); }
  // Keys the checksums of the present segment's records.
  std::uint64_t key() const;
  // The entry at `index`, where its term and checksum are known without a read.
  std::optional<LogEnd> find_end(Index index) const;
  // Writes records [from, to) at the present segment's end, which has space for them.
  void put(RecordBuffer& records, std::size_t from, std::size_t to, const std::string& file,
           Index durable_index, std::vector<Step>& steps);
  // The parts of lay_out(): a new segment where the log is cut, then what gathered.
  void lay_out_truncation(SegmentPool& pool, HardStateFile& file, std::vector<Step>& steps);
  void lay_out_gathered(SegmentPool& pool, HardStateFile& file, std::vector<Step>& steps);
  // Whether a new segment for so many bytes can begin; if not, waits_for_segment() says so.
  bool is_segment_ready(std::uint64_t record_bytes, const SegmentPool& pool);
  // Goes on in a new segment, whose header says where the present one ended (rule 6).
  void begin_segment(std::uint64_t record_bytes, SegmentPool& pool, HardStateFile& file,
                     std::vector<Step>& steps);
  SegmentHeader header_of(const Segment& segment) const;
  // Removes from segments_ those that the present one's header ended, and returns them.
  std::vector<Segment> take_obsolete();

  std::uint64_t incarnation_;
  Instrumentation* instrumentation_;
  std::vector<Segment> segments_;  // ascending; the last is the one written to
  LogEnd end_;                     // as laid out
  bool is_dirty_ = false;          // the present segment has writes that no sync followed

  std::optional<Index> truncate_to_;  // waits: below end_
  std::optional<LogEnd> known_;       // what the entry there says
  RecordBuffer gathered_;             // waits, after the truncation
  Index last_{};
  std::vector<Index> configurations_;  // of entries in the log or gathered, ascending
  std::optional<std::uint64_t> waits_for_segment_;
};

}  // namespace zatt::storage
