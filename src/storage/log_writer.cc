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

LogWriter::LogWriter(std::uint64_t incarnation, std::vector<Life> lives, LogEnd end,
                     std::vector<Index> configurations, Probe* probe)
    : incarnation_(incarnation),
      probe_(probe),
      lives_(std::move(lives)),
      end_(end),
      last_(end.index),
      configurations_(std::move(configurations)) {}

// --- gathering -------------------------------------------------------------------------------

void LogWriter::cut(Index last) {
  ZATT_ASSERT(last <= last_);
  const Index base = cut_.value_or(end_.index);
  if (last >= base) {  // only what has not been handed to the disk
    gathered_.keep(narrow<std::size_t>(last - base));
  } else {
    cut_ = last;
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

std::uint64_t LogWriter::key() const { return checksum_key(incarnation_, lives_.back().number); }

std::uint64_t LogWriter::room() const { return lives_.back().size - lives_.back().end; }

bool LogWriter::is_half_full() const { return lives_.back().end * 2 > lives_.back().size; }

bool LogWriter::is_nearly_full() const {
  return lives_.back().size - lives_.back().end < lives_.back().size / 4;
}

bool LogWriter::is_at_its_end() const { return room() < end_bytes(); }

std::uint64_t LogWriter::end_bytes() const { return std::max(lives_.back().size / 16, 4 * unit); }

bool LogWriter::keeps_half_of_its_end(std::uint64_t bytes) const {
  return room() >= round_up(gathered_bytes() + bytes) + end_bytes() / 2;
}

// While a cut waits the log still ends where it did, and the configurations that it takes away are
// forgotten already: an older one is named then, which is never one that was not durable.
LogEndRecord LogWriter::log_end() const {
  LogEndRecord record;
  record.segment = lives_.back().number;
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
  for (const Life& life : lives_)
    if (life.predecessor.index == index) return life.predecessor;
  return std::nullopt;
}

std::optional<Index> LogWriter::unknown_cut_end() const {
  if (!cut_ || find_end(*cut_)) return std::nullopt;
  return cut_;
}

// --- laying out ------------------------------------------------------------------------------

// Writes records [from, to) at the end of the present life, in `file`.
void LogWriter::put(RecordBuffer& records, std::size_t from, std::size_t to,
                    const std::string& file, Index durable_index, std::vector<Step>& steps) {
  Life& life = present();
  std::uint64_t offset = life.end;
  for (std::size_t i = from; i < to; ++i) {
    life.note(records.index(i), offset);
    offset += records.size(i);
  }
  end_ = records.seal(from, to, end_, durable_index, key());
  std::string bytes = records.take(from, to);
  const std::uint64_t at = life.end;
  life.end += bytes.size();
  ZATT_ASSERT(life.end <= life.size);
  steps.push_back(write_step(file, at, std::move(bytes)));
}

// Where none is, it is waited for.
bool LogWriter::is_segment_ready(std::uint64_t record_bytes, const Spares& spares) {
  const std::uint64_t bytes = segment_bytes_for(record_bytes);
  if (spares.has_ready(bytes)) return true;
  see(probe_, Sight::log_waited_for_room);
  waits_for_segment_ = bytes;
  return false;
}

// Rule 6. The header says where the log ended, so all of that is made durable first; and the
// hard state's file hears of the new segment before anything in it counts (rule 15).
void LogWriter::begin_life(std::uint64_t record_bytes, Spares& spares, HardStateFile& file,
                           std::vector<Step>& steps) {
  if (is_dirty_) steps.push_back(sync_step(present().file()));
  is_dirty_ = false;
  Life life;
  life.number = spares.take_number();
  life.predecessor = end_;
  see(probe_, Sight::spare_reused);
  life.size = spares.provide(life.file(), segment_bytes_for(record_bytes), steps);
  steps.push_back(write_step(life.file(), 0, encode(header_of(life))));
  steps.push_back(sync_step(life.file()));
  lives_.push_back(std::move(life));
  file.save(log_end(), steps);
}

SegmentHeader LogWriter::header_of(const Life& life) const {
  SegmentHeader header;
  header.life = life.number;
  header.incarnation = incarnation_;
  header.predecessor = life.predecessor;
  header.size = life.size;
  return header;
}

// The lives that the present one's header ended: those that begin at or behind its first index.
std::vector<Life> LogWriter::take_dead() {
  const Index first = present().first();
  const auto dead = std::find_if(lives_.begin(), lives_.end() - 1,
                                 [first](const Life& life) { return life.first() >= first; });
  std::vector<Life> taken(std::make_move_iterator(dead), std::make_move_iterator(lives_.end() - 1));
  lives_.erase(dead, lives_.end() - 1);
  return taken;
}

void LogWriter::lay_out(Spares& spares, HardStateFile& file, std::vector<Step>& steps) {
  waits_for_segment_.reset();
  if (cut_) lay_out_cut(spares, file, steps);
  if (cut_) return;
  lay_out_gathered(spares, file, steps);
  if (is_dirty_) steps.push_back(sync_step(present().file()));
  is_dirty_ = false;
  // Whoever counts on this configuration must find it named, were the segment lost.
  if (log_end().configuration != file.log_end().configuration) file.save(log_end(), steps);
}

void LogWriter::lay_out_cut(Spares& spares, HardStateFile& file, std::vector<Step>& steps) {
  const std::uint64_t first_bytes = gathered_.empty() ? 0 : gathered_.size(0);
  if (!is_segment_ready(first_bytes, spares)) return;
  const auto end = find_end(*cut_);
  ZATT_ASSERT(end.has_value());
  end_ = *end;
  begin_life(first_bytes, spares, file, steps);
  cut_.reset();
  known_.reset();
  const std::vector<Life> dead = take_dead();  // rule 7: only now that the header is durable
  if (!dead.empty()) see(probe_, Sight::cut_over_a_roll_over);
  for (const Life& life : dead) spares.retire(life.file(), life.size, steps);
  if (!dead.empty()) steps.push_back(sync_directory_step());
}

void LogWriter::lay_out_gathered(Spares& spares, HardStateFile& file, std::vector<Step>& steps) {
  const Index durable_index = end_.index;
  const std::size_t count = gathered_.count();
  std::size_t from = 0;
  if (count > 0 && takes(probe_, Turn::roll_over) &&
      spares.has_ready(segment_bytes_for(gathered_.size(0))))
    begin_life(gathered_.size(0), spares, file, steps);
  while (from < count) {
    const std::size_t most = takes(probe_, Turn::split_batch) ? from + 1 : count;
    std::size_t to = from;
    while (to < most && gathered_.bytes_between(from, to + 1) <= room()) ++to;
    if (to == from) {
      if (!is_segment_ready(gathered_.size(from), spares)) break;
      see(probe_, Sight::rolled_over);
      begin_life(gathered_.size(from), spares, file, steps);
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

std::vector<Life> LogWriter::begin_again(RecordBuffer tail, Spares& spares, HardStateFile& file,
                                         std::vector<Step>& steps) {
  Life life;
  life.number = spares.take_number();
  life.predecessor = end_;
  const std::string unfinished = file_name(FileKind::unfinished, life.number);
  life.size = spares.provide(unfinished, segment_bytes_for(tail.bytes()), steps);
  const std::string name = life.file();
  SegmentHeader header = header_of(life);
  lives_.push_back(std::move(life));
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
  return take_dead();
}

}  // namespace zatt::storage
