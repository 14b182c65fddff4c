// SPDX-License-Identifier: AGPL-3.0-or-later
// What a segment of the log looks like on disk, for those who write it and those who read it.
//
// A segment, `<segment>.seg`: a header, then batches of records. Little-endian.
//
//   header  +------------+---------+-----------+--------+---------------+----------------+
//           |checksum u64|magic u64|format  u32|segment u64|incarnation u64|first_index  u64|
//           +------------+---------+-----------+--------+---------------+----------------+
//           |predecessor_term u64  |predecessor_checksum u64  |size u64|copied_index  u64|
//           +----------------------+--------------------------+--------+----------------+
//           |copied_checksum u64   |
//           +----------------------+
//   record  +------------+----------+-------+---------+--------+-----------+-----------------+
//           |checksum u64|length u32|kind u8|index u64|term u64|time_us u64|durable_index u64|
//           +------------+----------+-------+---------+--------+-----------+-----------------+
//           |previous u64|length bytes                                                       |
//           +------------+-------------------------------------------------------------------+
//
// The header and every batch begin on a unit of 4 KiB and share it with nothing else: a torn page
// never reaches what was promised before. Within a batch records follow each other; the
// rest of its last unit is zeros. Every checksum covers the rest of its header or record and is
// keyed by incarnation and segment, a number never used again: what a recycled file held before, or
// a record from another place, is noise.
//
// previous is the checksum of the entry before, in whichever segment that is (0 before the first).
// predecessor_term and predecessor_checksum are those of the entry at first_index - 1, which was
// durable before this header was written: where a segment begins below the end of the one before,
// the log was truncated there. durable_index is how far the log was durable when the record was written.
//
// size is the file's, all of which was durable before this header was written: a file that is
// shorter has lost something. copied_index and copied_checksum name the last entry that the start
// which began this segment copied into it (0 where it copied none, and in all other segments).
//
// Later formats keep the header's layout and its checksum, so that this one can say what it met.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace zatt::storage {

inline constexpr std::uint64_t unit = 4096;
inline constexpr std::uint32_t log_format = 3;
inline constexpr std::size_t segment_header_size = 8 + 8 + 4 + 8 + 8 + 8 + 8 + 8 + 8 + 8 + 8;
inline constexpr std::size_t record_header_size = 8 + 4 + 1 + 8 + 8 + 8 + 8 + 8;

constexpr std::uint64_t round_up(std::uint64_t bytes) { return (bytes + unit - 1) / unit * unit; }

// Where the log ends, or ended: the entry that the next one follows.
struct LogEnd {
  Index index{};
  Term term{};
  std::uint64_t checksum = 0;

  friend bool operator==(const LogEnd&, const LogEnd&) = default;
};

struct SegmentHeader {
  std::uint64_t segment = 0;
  std::uint64_t incarnation = 0;
  LogEnd predecessor;  // first_index is its index + 1
  std::uint64_t size = 0;
  Index copied_index{};
  std::uint64_t copied_checksum = 0;

  Index first_index() const { return predecessor.index + 1; }
};

// A whole unit.
std::string encode(const SegmentHeader& header);

struct HeaderRead {
  std::optional<SegmentHeader> header;  // nothing: bad, or not of this format
  std::uint32_t format = 0;             // 0: bad
};
HeaderRead decode_header(std::string_view bytes);

// Another version of zatt wrote `file`: which kind of version, and both formats.
Error other_format(std::string_view file, std::uint32_t format, std::uint32_t known);

struct Record {
  std::uint64_t checksum = 0;
  std::uint8_t kind = 0;
  Index index{};
  Term term{};
  std::uint64_t time_us = 0;
  Index durable_index{};
  std::uint64_t previous = 0;
  std::string_view body;  // borrowed from the bytes it was read from

  std::uint64_t size() const { return record_header_size + body.size(); }
  EntryView entry() const { return {index, term, time_us, static_cast<EntryKind>(kind), body}; }
};

// A record's head as it stands there, checked by nothing.
struct RecordHead {
  std::uint64_t checksum = 0;
  std::uint32_t length = 0;
  std::uint8_t kind = 0;
  Index index{};
  Term term{};
  std::uint64_t time_us = 0;
  Index durable_index{};
  std::uint64_t previous = 0;
};
RecordHead decode_record_head(std::string_view bytes);

// The record that `bytes` begin with, if it checks.
std::optional<Record> decode_record(std::string_view bytes, std::uint64_t key);

// Visits every record of a segment, good neighbours or not: one after the other, and from the next
// unit on where there is none.
class RecordWalk {
 public:
  // `bytes` are the file's from `offset` on.
  RecordWalk(std::string_view bytes, std::uint64_t offset, std::uint64_t key)
      : bytes_(bytes), begin_(offset), next_(offset), key_(key) {}

  std::optional<Record> next();
  std::uint64_t offset() const { return offset_; }  // in the file, of the record last returned
  std::uint64_t position() const { return next_; }  // where the next is looked for

 private:
  std::string_view bytes_;
  std::uint64_t begin_;
  std::uint64_t next_;
  std::uint64_t offset_ = 0;
  std::uint64_t key_;
};

// Entries on their way to disk, laid out as records one after the other. What the records say of
// their place is filled in by seal(), when it is known.
class RecordBuffer {
 public:
  bool empty() const { return starts_.empty(); }
  std::size_t count() const { return starts_.size(); }
  std::uint64_t bytes() const { return bytes_.size(); }

  void add(const EntryView& entry);
  void keep(std::size_t count);  // drops the entries after the first `count`
  void drop_front(std::size_t count);
  void clear();

  Index index(std::size_t i) const;
  std::uint64_t size(std::size_t i) const;
  // Bytes from entry `from` to the end of entry `to - 1`.
  std::uint64_t bytes_between(std::size_t from, std::size_t to) const;
  // Makes records of [from, to), which follow `end`; returns the log's new end.
  LogEnd seal(std::size_t from, std::size_t to, const LogEnd& end, Index durable_index,
              std::uint64_t key);
  // The records [from, to), padded to whole units. Taking all of them leaves the buffer empty.
  std::string take(std::size_t from, std::size_t to);

 private:
  std::uint64_t start(std::size_t i) const { return i < count() ? starts_[i] : bytes_.size(); }
  std::string bytes_;
  std::vector<std::uint64_t> starts_;
};

// Names: a segment's segment, one being made or copied, and one waiting to be used. The numbers are
// from one series, and none is ever used again.
enum class FileKind : std::uint8_t { segment, unfinished, spare };
inline constexpr std::uint64_t max_file_number = 999'999'999'999'999'999;
std::string file_name(FileKind kind, std::uint64_t number);
struct FileName {
  FileKind kind = FileKind::segment;
  std::uint64_t number = 0;
};
std::optional<FileName> parse_file_name(std::string_view name);

}  // namespace zatt::storage
