// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/narrow.h"
#include "storage/steps.h"

namespace zatt::storage {
namespace {

// A header and the records.
std::uint64_t segment_bytes_for(std::uint64_t record_bytes) {
  return unit + round_up(record_bytes);
}

}  // namespace

LogWriter::LogWriter(std::uint64_t incarnation, std::vector<Segment> segments, LogEnd end,
                     std::vector<Index> configurations, Instrumentation* instrumentation)
    : incarnation_(incarnation),
      instrumentation_(instrumentation),
      segments_(std::move(segments)),
      end_(end),
      last_(end.index),
      configurations_(std::move(configurations)) {}

// --- gathering -------------------------------------------------------------------------------

void LogWriter::truncate(Index last) {
  ZATT_ASSERT(last <= last_);
  const Index base = truncate_to_.value_or(end_.index);
  if (last >= base) {  // only what has not been handed to the disk
    gathered_.keep(narrow<std::size_t>(last - base));
  } else {
    truncate_to_ = last;
    gathered_.clear();
  }
  last_ = last;
  while (!configurations_.empty() && configurations_.back() > last) configurations_.pop_back();
  waits_for_segment_.reset();  // what waited may be gone: lay_out() finds out
}

void LogWriter::append(std::span<const EntryView> entries) {
  for (const EntryView& entry : entries) {
    ZATT_ASSERT(entry.index == last_ + 1);
    gathered_.add(entry);
    last_ = entry.index;
    if (entry.kind == EntryKind::configuration) configurations_.push_back(entry.index);
  }
}

// --- where the log is ------------------------------------------------------------------------

std::uint64_t LogWriter::key() const { return checksum_key(incarnation_, segments_.back().number); }

std::uint64_t LogWriter::room() const { return segments_.back().size - segments_.back().end; }

bool LogWriter::is_half_full() const { return segments_.back().end * 2 > segments_.back().size; }

bool LogWriter::is_nearly_full() const {
  return segments_.back().size - segments_.back().end < segments_.back().size / 4;
}

bool LogWriter::is_at_its_end() const { return room() < end_bytes(); }

std::uint64_t LogWriter::end_bytes() const {
  return std::max(segments_.back().size / 16, 4 * unit);
}

bool LogWriter::keeps_half_of_its_end(std::uint64_t bytes) const {
  return room() >= round_up(gathered_bytes() + bytes) + end_bytes() / 2;
}

// While a cut waits the log still ends where it did, and the configurations that it takes away are
// forgotten already: an older one is named then, which is never one that was not durable.
LogEndRecord LogWriter::log_end() const {
  LogEndRecord record;
  record.segment = segments_.back().number;
  record.end = end_;
  for (const Index index : configurations_)
    if (index <= end_.index) record.configuration = index;
  return record;
}

// What is known of the entry at `index` without reading it.
std::optional<LogEnd> LogWriter::find_end(Index index) const {
  if (index == Index{0}) return LogEnd{};
  if (index == end_.index) return end_;
  if (known_ && known_->index == index) return known_;
  for (const Segment& segment : segments_)
    if (segment.predecessor.index == index) return segment.predecessor;
  return std::nullopt;
}

std::optional<Index> LogWriter::unknown_truncation_end() const {
  if (!truncate_to_ || find_end(*truncate_to_)) return std::nullopt;
  return truncate_to_;
}

// --- laying out ------------------------------------------------------------------------------

// Writes records [from, to) at the end of the present segment, in `file`.
void LogWriter::put(RecordBuffer& records, std::size_t from, std::size_t to,
                    const std::string& file, Index durable_index, std::vector<Step>& steps) {
  Segment& segment = present();
  std::uint64_t offset = segment.end;
  for (std::size_t i = from; i < to; ++i) {
    segment.note(records.index(i), offset);
    offset += records.size(i);
  }
  end_ = records.seal(from, to, end_, durable_index, key());
  std::string bytes = records.take(from, to);
  const std::uint64_t at = segment.end;
  segment.end += bytes.size();
  ZATT_ASSERT(segment.end <= segment.size);
  for (std::uint64_t done = 0; bytes.size() - done > sync_every_bytes; done += sync_every_bytes) {
    steps.push_back(write_step(file, at + done, bytes.substr(done, sync_every_bytes)));
    steps.push_back(sync_step(file));
  }
  const std::uint64_t done = (bytes.size() - 1) / sync_every_bytes * sync_every_bytes;
  if (done > 0) bytes.erase(0, done);
  steps.push_back(write_step(file, at + done, std::move(bytes)));
}

// Where none is, it is waited for.
bool LogWriter::is_segment_ready(std::uint64_t record_bytes, const SegmentPool& pool) {
  const std::uint64_t bytes = segment_bytes_for(record_bytes);
  if (pool.has_ready(bytes)) return true;
  hit(instrumentation_, CoveragePoint::log_waited_for_room);
  waits_for_segment_ = bytes;
  return false;
}

// Rule 6. The header says where the log ended, so all of that is made durable first; and the
// hard state's file hears of the new segment before anything in it counts (rule 15).
void LogWriter::begin_segment(std::uint64_t record_bytes, SegmentPool& pool, HardStateFile& file,
                              std::vector<Step>& steps) {
  if (is_dirty_) steps.push_back(sync_step(present().file()));
  is_dirty_ = false;
  Segment segment;
  segment.number = pool.take_number();
  segment.predecessor = end_;
  hit(instrumentation_, CoveragePoint::segment_file_reused);
  segment.size = pool.provide(segment.file(), segment_bytes_for(record_bytes), steps);
  steps.push_back(write_step(segment.file(), 0, encode(header_of(segment))));
  steps.push_back(sync_step(segment.file()));
  segments_.push_back(std::move(segment));
  file.save(log_end(), steps);
}

SegmentHeader LogWriter::header_of(const Segment& segment) const {
  SegmentHeader header;
  header.segment = segment.number;
  header.incarnation = incarnation_;
  header.predecessor = segment.predecessor;
  header.size = segment.size;
  return header;
}

// The segments that the present one's header ended: those that begin at or after its first index.
std::vector<Segment> LogWriter::take_obsolete() {
  const Index first = present().first();
  const auto obsolete =
      std::find_if(segments_.begin(), segments_.end() - 1,
                   [first](const Segment& segment) { return segment.first() >= first; });
  std::vector<Segment> taken(std::make_move_iterator(obsolete),
                             std::make_move_iterator(segments_.end() - 1));
  segments_.erase(obsolete, segments_.end() - 1);
  return taken;
}

void LogWriter::lay_out(SegmentPool& pool, HardStateFile& file, std::vector<Step>& steps) {
  waits_for_segment_.reset();
  if (truncate_to_) lay_out_truncation(pool, file, steps);
  if (truncate_to_) return;
  lay_out_gathered(pool, file, steps);
  if (is_dirty_) steps.push_back(sync_step(present().file()));
  is_dirty_ = false;
  // Whoever counts on this configuration must find it named, were the segment lost.
  if (log_end().configuration != file.log_end().configuration) file.save(log_end(), steps);
}

void LogWriter::lay_out_truncation(SegmentPool& pool, HardStateFile& file,
                                   std::vector<Step>& steps) {
  const std::uint64_t first_bytes = gathered_.empty() ? 0 : gathered_.size(0);
  if (!is_segment_ready(first_bytes, pool)) return;
  const auto end = find_end(*truncate_to_);
  ZATT_ASSERT(end.has_value());
  end_ = *end;
  begin_segment(first_bytes, pool, file, steps);
  truncate_to_.reset();
  known_.reset();
  const std::vector<Segment> obsolete =
      take_obsolete();  // rule 7: only now that the header is durable
  if (!obsolete.empty()) hit(instrumentation_, CoveragePoint::truncated_over_a_roll_over);
  for (const Segment& segment : obsolete) pool.retire(segment.file(), segment.size, steps);
  if (!obsolete.empty()) steps.push_back(sync_directory_step());
}

void LogWriter::lay_out_gathered(SegmentPool& pool, HardStateFile& file, std::vector<Step>& steps) {
  const Index durable_index = end_.index;
  const std::size_t count = gathered_.count();
  std::size_t from = 0;
  if (count > 0 && inject(instrumentation_, FaultPoint::roll_over) &&
      pool.has_ready(segment_bytes_for(gathered_.size(0))))
    begin_segment(gathered_.size(0), pool, file, steps);
  while (from < count) {
    const std::size_t most = inject(instrumentation_, FaultPoint::split_batch) ? from + 1 : count;
    std::size_t to = from;
    while (to < most && gathered_.bytes_between(from, to + 1) <= room()) ++to;
    if (to == from) {
      if (!is_segment_ready(gathered_.size(from), pool)) break;
      hit(instrumentation_, CoveragePoint::rolled_over);
      begin_segment(gathered_.size(from), pool, file, steps);
      continue;
    }
    put(gathered_, from, to, present().file(), durable_index, steps);
    is_dirty_ = true;
    from = to;
  }
  if (from == count)
    gathered_.clear();  // put() may have taken them
  else
    gathered_.drop_front(from);
}

// --- the start -------------------------------------------------------------------------------

std::vector<Segment> LogWriter::begin_copied_segment(RecordBuffer tail, SegmentPool& pool,
                                                     HardStateFile& file,
                                                     std::vector<Step>& steps) {
  Segment segment;
  segment.number = pool.take_number();
  segment.predecessor = end_;
  const std::string unfinished = file_name(FileKind::unfinished, segment.number);
  segment.size = pool.provide(unfinished, segment_bytes_for(tail.bytes()), steps);
  const std::string name = segment.file();
  SegmentHeader header = header_of(segment);
  segments_.push_back(std::move(segment));
  if (!tail.empty()) {
    put(tail, 0, tail.count(), unfinished, end_.index, steps);
    header.copied_index = end_.index;
    header.copied_checksum = end_.checksum;
  }
  steps.push_back(write_step(unfinished, 0, encode(header)));
  steps.push_back(sync_step(unfinished));
  steps.push_back(rename_step(unfinished, name));
  steps.push_back(sync_directory_step());
  is_dirty_ = false;
  last_ = end_.index;
  file.save(log_end(), steps);
  return take_obsolete();
}

}  // namespace zatt::storage
