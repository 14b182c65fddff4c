// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_reader.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/narrow.h"
#include "storage/segments.h"

namespace zatt::storage {
namespace {

constexpr Index no_limit{std::numeric_limits<std::uint64_t>::max()};

std::string text(Index index) { return std::to_string(raw(index)); }

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

bool is_known_kind(const Record& record) {
  return record.kind <= static_cast<std::uint8_t>(EntryKind::command);
}

}  // namespace

// --- what is there ---------------------------------------------------------------------------

Status LogReader::sort_out(const std::vector<std::string>& names) {
  std::vector<std::uint64_t> segments;
  log_.highest_number = question_.log_end.segment;
  for (const std::string& name : names) {
    const auto parsed = parse_file_name(name);
    if (!parsed) continue;
    log_.highest_number = std::max(log_.highest_number, parsed->number);
    if (parsed->kind == FileKind::unfinished) log_.unfinished.push_back(name);
    if (parsed->kind == FileKind::segment) segments.push_back(parsed->number);
    if (parsed->kind != FileKind::spare) continue;
    auto size = disk_.size(name);
    if (!size) return size.error();
    log_.spare_files.push_back({name, *size});
  }
  std::sort(log_.unfinished.begin(), log_.unfinished.end());
  std::sort(log_.spare_files.begin(), log_.spare_files.end(),
            [](const FileSize& a, const FileSize& b) { return a.name < b.name; });
  std::sort(segments.begin(), segments.end());
  for (const std::uint64_t number : segments)
    if (auto read = read_header(number); !read) return read;
  return ok;
}

Status LogReader::read_header(std::uint64_t number) {
  const std::string name = file_name(FileKind::segment, number);
  auto size = disk_.size(name);
  if (!size) return size.error();
  auto bytes = disk_.read(name, 0, unit);
  if (!bytes) return bytes.error();
  const HeaderRead read = decode_header(*bytes);
  if (read.format != 0 && read.format != log_format)
    return other_format(question_.directory + "/" + name, read.format, log_format);
  if (!read.header || read.header->segment != number) {
    zatt::hit(question_.instrumentation, CoveragePoint::bad_header_found);
    bad_headers_.push_back({number, *size, false});
    return ok;
  }
  if (read.header->incarnation != question_.incarnation)
    return error(Code::foreign, "a segment of another directory", name,
                 "it was not written by this node; was it copied here?");
  Segment segment;
  segment.number = number;
  segment.predecessor = read.header->predecessor;
  segment.size = *size;
  segment.full_size = read.header->size;
  log_.segments.push_back(std::move(segment));
  ends_.expect(*read.header);
  return ok;
}

void LogReader::drop_obsolete() {
  std::vector<Segment> alive;
  Index lowest = no_limit;
  for (auto segment = log_.segments.rbegin(); segment != log_.segments.rend(); ++segment) {
    if (segment->first() >= lowest) {
      log_.retired.push_back(segment->file());
      continue;
    }
    lowest = segment->first();
    alive.push_back(std::move(*segment));
  }
  std::reverse(alive.begin(), alive.end());
  log_.segments = std::move(alive);
}

// --- walking through it ----------------------------------------------------------------------

void LogReader::note_seen(const Record& record) {
  note_seen(record.term, record.index);
  ends_.saw(record.index, record.checksum);
}

void LogReader::note_seen(Term term, Index index) {
  if (std::pair(term, index) <= std::pair(highest_term_, highest_index_)) return;
  highest_term_ = term;
  highest_index_ = index;
}

void LogReader::begin_at(const LogEnd& end) {
  log_.last = end;
  log_.proven_durable = end;
  window_.clear();
}

void LogReader::prove_durable(Index durable_index) {
  durable_index = std::min(durable_index, log_.last.index);  // of what damage has left
  if (durable_index <= log_.proven_durable.index) return;
  const auto at = static_cast<std::ptrdiff_t>(durable_index - log_.proven_durable.index);
  log_.proven_durable = window_[static_cast<std::size_t>(at - 1)];
  window_.erase(window_.begin(), window_.begin() + at);
}

std::size_t LogReader::first_needed() const {
  std::size_t first = log_.segments.size();
  for (std::size_t i = 0; i < log_.segments.size(); ++i)
    if (log_.segments[i].first() <= question_.base.index + 1) first = i;
  return first;
}

Status LogReader::walk_all() {
  begin_at({question_.base.index, question_.base.term, 0});
  for (const Segment& segment : log_.segments)
    note_seen(segment.predecessor.term, segment.predecessor.index);
  std::size_t i = first_needed();
  if (i < log_.segments.size()) {
    begin_at(log_.segments[i].predecessor);
    holds_base_ = question_.base.index == Index{0} || (log_.last.index == question_.base.index &&
                                                       log_.last.term == question_.base.term);
    for (std::size_t before = 0; before < i; ++before)
      log_.retired.push_back(log_.segments[before].file());
    log_.segments.erase(log_.segments.begin(),
                        log_.segments.begin() + static_cast<std::ptrdiff_t>(i));
    i = 0;
  } else if (!log_.segments.empty()) {
    const Segment& first = log_.segments.front();
    damage(first.file(), 0,
           "the log begins at entry " + text(first.first()) + "; the segment before is missing");
    i = 0;
  }
  for (; i < log_.segments.size() && !found_.damage && !is_dropped_; ++i) {
    const bool is_last = i + 1 == log_.segments.size();
    if (auto walked = walk(log_.segments[i], is_last ? nullptr : &log_.segments[i + 1]); !walked)
      return walked;
  }
  for (std::size_t rest = i; rest < log_.segments.size(); ++rest) {
    const Segment& segment = log_.segments[rest];
    BadHeader unread{segment.number, segment.size, false};
    if (auto looked = look_only(unread); !looked) return looked;
    log_.retired.push_back(segment.file());
  }
  log_.segments.resize(i);
  return ok;
}

bool LogReader::take(Segment& segment, const Segment* next, const RecordWalk& walk,
                     const Record& record) {
  const LogEnd end{record.index, record.term, record.checksum};
  if (next != nullptr && record.index == next->predecessor.index && end != next->predecessor)
    return false;
  // The header that would say so is unreadable, but a later segment replaced this entry.
  const auto newer = newer_terms_.find(record.index);
  if (newer != newer_terms_.end() && newer->second != record.term) return false;
  if (record.index == question_.base.index) holds_base_ = record.term == question_.base.term;
  if (record.index > question_.base.index && !holds_base_) {
    is_dropped_ = true;
    return true;
  }
  log_.last = end;
  window_.push_back(end);
  if (record.kind == static_cast<std::uint8_t>(EntryKind::configuration))
    log_.configurations.push_back(record.index);
  ends_.served(end);
  if (end == question_.log_end.end) prove_durable(end.index);
  segment.note(record.index, walk.offset());
  segment.end = round_up(walk.position());
  if (record.index > question_.base.index) on_entry_(record.entry());
  return true;
}

Status LogReader::walk(Segment& segment, const Segment* next) {
  auto bytes = disk_.read(segment.file(), 0, segment.size);
  if (!bytes) return bytes.error();
  ZATT_ASSERT(log_.last.index == segment.predecessor.index);
  begin_at(segment.predecessor);
  const Index limit = next == nullptr ? no_limit : next->predecessor.index;
  RecordWalk walk(std::string_view(*bytes).substr(std::min<std::size_t>(unit, bytes->size())), unit,
                  key(segment.number));
  Index durable_index{};
  std::uint64_t bad_at = unit;  // where the first entry that is missing should be
  std::uint64_t torn_bytes = 0;
  bool is_stopped = false;
  while (const auto record = walk.next()) {
    if (!is_known_kind(*record))
      return error(Code::newer, "a later version of zatt wrote this log", segment.file(),
                   "an entry of kind " + std::to_string(record->kind));
    note_seen(*record);
    durable_index = std::max(durable_index, record->durable_index);
    const bool is_next =
        record->index == log_.last.index + 1 && record->previous == log_.last.checksum;
    if (is_next && record->index <= limit && !is_stopped && !is_dropped_) {
      is_stopped = !take(segment, next, walk, *record);
      if (!is_stopped) bad_at = walk.position();
    } else if (!is_next) {
      torn_bytes += record->size();
    }
    prove_durable(record->durable_index);
  }
  if (is_dropped_) return ok;
  const Index promised = next == nullptr ? durable_index : limit;
  const Index last = std::max(log_.last.index, question_.base.index);
  if (last < promised)
    damage(
        segment.file(), bad_at,
        "entries " + text(last + 1) + " to " + text(promised) + " were durable and are unreadable");
  bad_at_ = bad_at;
  if (next == nullptr && !found_.damage) {
    for (const std::uint64_t at : {bad_at, round_up(bad_at)})  // in the same batch, or in the next
      if (torn_bytes == 0) torn_bytes = torn_record_bytes(*bytes, at);
    note_torn(torn_bytes);
  }
  return ok;
}

Status LogReader::look_only(BadHeader& segment) {
  auto bytes = disk_.read(file_name(FileKind::segment, segment.number), 0, segment.size);
  if (!bytes) return bytes.error();
  RecordWalk walk(std::string_view(*bytes).substr(std::min<std::size_t>(unit, bytes->size())), unit,
                  key(segment.number));
  while (const auto record = walk.next()) {
    segment.has_records = true;
    if (segment.number > newest_) newer_terms_.emplace(record->index, record->term);
    note_seen(*record);
  }
  return ok;
}

Status LogReader::look_at_bad_headers() {
  for (BadHeader& segment : bad_headers_) {
    if (auto looked = look_only(segment); !looked) return looked;
    log_.retired.push_back(file_name(FileKind::segment, segment.number));
  }
  return ok;
}

// Rule 10: over records keyed by the file's name, a bad header is damage; over none it was never
// in force. Where a later segment follows the one before without a gap, this one was obsolete.
void LogReader::check_bad_headers() {
  for (const BadHeader& segment : bad_headers_)
    if (segment.has_records && (found_.damage || segment.number > newest_))
      damage(file_name(FileKind::segment, segment.number), 0,
             "the segment's header is unreadable over records that were written");
}

// --- verdicts --------------------------------------------------------------------------------

std::uint64_t LogReader::torn_record_bytes(std::string_view bytes, std::uint64_t at) const {
  if (at + record_header_size > bytes.size()) return 0;
  const RecordHead head = decode_record_head(bytes.substr(narrow<std::size_t>(at)));
  if (head.index != log_.last.index + 1 || head.previous != log_.last.checksum) return 0;
  return std::min<std::uint64_t>(record_header_size + head.length, bytes.size() - at);
}

void LogReader::note_torn(std::uint64_t bytes) {
  if (bytes == 0) return;
  zatt::hit(question_.instrumentation, CoveragePoint::torn_tail_truncated);
  found_.notes.push_back("the log's last " + grouped(bytes) +
                         " bytes are a write that was under way when the node or the machine "
                         "stopped; they were cut off");
}

DurableEnds::Served LogReader::served() const {
  return {question_.base.index, holds_base_ && !is_dropped_, found_.damage.has_value()};
}

void LogReader::check_ends() {
  const auto check = [&](const std::optional<DurableEnds::Missing>& missing) {
    if (!missing) return;
    const bool is_in_last =
        !log_.segments.empty() && log_.segments.back().number == missing->segment;
    lose(missing->last, missing->is_end_known, file_name(FileKind::segment, missing->segment),
         is_in_last ? bad_at_ : 0, missing->what);
  };
  if (!found_.damage) check(ends_.missing_copied_end(served()));
  const LogEndRecord& record = question_.log_end;
  if (record.segment != 0) note_seen(record.end.term, record.end.index);
  check(ends_.missing_log_end(served()));
}

// A file is as long as its header says, or something was cut off it. Before the log's last segment
// all that a file held is either there or missed by now; of the last one a clean end is there.
void LogReader::check_lengths() {
  for (const Segment& segment : log_.segments) {
    if (segment.size >= segment.full_size) continue;
    const std::string lengths =
        "the file has " + grouped(segment.size) + " bytes and had " + grouped(segment.full_size);
    const bool is_last = segment.number == log_.segments.back().number;
    if (is_last && !question_.log_end.is_clean && !is_dropped_ && holds_base_)
      lose(log_.last.index, false, segment.file(), segment.size, lengths);
    else if (!found_.damage)
      found_.notes.push_back(segment.file() + ": " + lengths +
                             "; nothing of what it held is missing");
  }
  // Where damage in an earlier one kept it from being walked.
  if (found_.damage && newest_is_cut_off_ && !question_.log_end.is_clean)
    found_.damage->floor_is_open = true;
}

void LogReader::lose(Index last, bool is_end_known, const std::string& file, std::uint64_t offset,
                     const std::string& what) {
  const Index first = log_.last.index + 1;
  std::string lost = "what came after entry " + text(log_.last.index) + " is gone";
  if (first <= last) {
    lost = "entries " + text(first) + " to " + text(last) + " were durable and are unreadable";
    if (!is_end_known) lost += ", and so is what came after";
  }
  if (!found_.damage) damage(file, offset, what.empty() ? lost : what + ": " + lost);
  found_.damage->floor_is_open = found_.damage->floor_is_open || !is_end_known;
}

void LogReader::damage(const std::string& file, std::uint64_t offset, std::string what) {
  if (!found_.damage) found_.damage.emplace();
  found_.damage->file = file;
  found_.damage->offset = offset;
  found_.damage->what = std::move(what);
}

Error LogReader::error(Code code, const char* what, const std::string& file,
                       const std::string& why) const {
  return Error{code, 0, what, question_.directory + "/" + file + ": " + why};
}

void LogReader::drop_before_snapshot() {
  for (const Segment& segment : log_.segments) log_.retired.push_back(segment.file());
  log_.segments.clear();
  log_.configurations.clear();
  begin_at({question_.base.index, question_.base.term, 0});
}

Status LogReader::run(const std::vector<std::string>& names) {
  if (auto sorted = sort_out(names); !sorted) return sorted;
  ends_.expect(question_.log_end);
  drop_obsolete();
  if (!log_.segments.empty()) {
    newest_ = log_.segments.back().number;
    newest_is_cut_off_ = log_.segments.back().size < log_.segments.back().full_size;
  }
  if (auto looked = look_at_bad_headers(); !looked) return looked;
  if (auto walked = walk_all(); !walked) return walked;
  check_bad_headers();
  check_ends();
  check_lengths();
  if (is_dropped_ || log_.last.index < question_.base.index || !holds_base_) drop_before_snapshot();
  found_.last_index = log_.last.index;
  if (found_.damage) {
    found_.damage->last_good = log_.last.index;
    found_.damage->floor_term = highest_term_;
    found_.damage->floor_index = highest_index_;
    found_.damage->configuration = question_.log_end.configuration;
  }
  return ok;
}

Status read_log(Disk& disk, const LogQuestion& question, const std::vector<std::string>& names,
                const std::function<void(const EntryView&)>& on_entry, ScanResult& found) {
  return LogReader(disk, question, on_entry, found).run(names);
}

}  // namespace zatt::storage
