// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/format.h"

#include <algorithm>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/narrow.h"

namespace zatt::storage {
namespace {

constexpr std::uint64_t segment_magic = 0x6765'7374'7461'7a0a;  // "\nzattseg"

// Offsets of a record's fields.
constexpr std::size_t length_at = 8;
constexpr std::size_t kind_at = 12;
constexpr std::size_t index_at = 13;
constexpr std::size_t term_at = 21;
constexpr std::size_t time_at = 29;
constexpr std::size_t durable_index_at = 37;
constexpr std::size_t previous_at = 45;
static_assert(previous_at + 8 == record_header_size);

// Writes what the record at `data` says of its entry.
void put_head(char* data, const EntryView& entry) {
  store_le(data + length_at, static_cast<std::uint32_t>(entry.body.size()));
  data[kind_at] = static_cast<char>(entry.kind);
  store_le(data + index_at, raw(entry.index));
  store_le(data + term_at, raw(entry.term));
  store_le(data + time_at, entry.time_us);
}

// Fills in what the record at `data` says of its place, and its checksum, which it returns.
std::uint64_t seal_record(char* data, std::uint64_t size, Index durable_index,
                          std::uint64_t previous, std::uint64_t key) {
  store_le(data + durable_index_at, raw(durable_index));
  store_le(data + previous_at, previous);
  const std::uint64_t sum =
      checksum(std::string_view(data + 8, narrow<std::size_t>(size) - 8), key);
  store_le(data, sum);
  return sum;
}

constexpr std::string_view suffix(FileKind kind) {
  switch (kind) {
    case FileKind::segment:
      return ".seg";
    case FileKind::unfinished:
      return ".new";
    case FileKind::spare:
      break;
  }
  return ".spare";
}

}  // namespace

std::string encode(const SegmentHeader& header) {
  std::string bytes(8, '\0');
  Writer out(bytes);
  out.u64(segment_magic);
  out.u32(log_format);
  out.u64(header.segment);
  out.u64(header.incarnation);
  out.u64(raw(header.first_index()));
  out.u64(raw(header.predecessor.term));
  out.u64(header.predecessor.checksum);
  out.u64(header.size);
  out.u64(raw(header.copied_index));
  out.u64(header.copied_checksum);
  ZATT_ASSERT(bytes.size() == segment_header_size);
  store_le(bytes.data(), checksum(std::string_view(bytes).substr(8),
                                  checksum_key(header.incarnation, header.segment)));
  bytes.resize(unit, '\0');
  return bytes;
}

namespace {

// A header of format 1 ended with the predecessor's checksum.
constexpr std::size_t header_size_of(std::uint32_t format) {
  return format == 1 ? segment_header_size - 24 : segment_header_size;
}

}  // namespace

HeaderRead decode_header(std::string_view bytes) {
  if (bytes.size() < segment_header_size) return {};
  Reader in(bytes.substr(0, segment_header_size));
  const std::uint64_t sum = in.u64();
  const std::uint64_t magic = in.u64();
  HeaderRead read;
  const std::uint32_t format = in.u32();
  SegmentHeader header;
  header.segment = in.u64();
  header.incarnation = in.u64();
  const std::uint64_t first_index = in.u64();
  header.predecessor.term = Term{in.u64()};
  header.predecessor.checksum = in.u64();
  header.size = in.u64();
  header.copied_index = Index{in.u64()};
  header.copied_checksum = in.u64();
  const std::uint64_t key = checksum_key(header.incarnation, header.segment);
  if (magic != segment_magic || format == 0 ||
      checksum(bytes.substr(8, header_size_of(format) - 8), key) != sum)
    return {};
  read.format = format;
  if (format != log_format || first_index == 0) return read;
  header.predecessor.index = Index{first_index - 1};
  read.header = header;
  return read;
}

Error other_format(std::string_view file, std::uint32_t format, std::uint32_t known) {
  const bool is_newer = format > known;
  return Error{is_newer ? Code::newer : Code::foreign, 0,
               is_newer ? "a later version of zatt wrote this directory"
                        : "an earlier version of zatt wrote this directory",
               std::string(file) + ": format " + std::to_string(format) + ", this version knows " +
                   std::to_string(known)};
}

RecordHead decode_record_head(std::string_view bytes) {
  ZATT_ASSERT(bytes.size() >= record_header_size);
  const char* data = bytes.data();
  RecordHead head;
  head.checksum = load_le<std::uint64_t>(data);
  head.length = load_le<std::uint32_t>(data + length_at);
  head.kind = static_cast<std::uint8_t>(data[kind_at]);
  head.index = Index{load_le<std::uint64_t>(data + index_at)};
  head.term = Term{load_le<std::uint64_t>(data + term_at)};
  head.time_us = load_le<std::uint64_t>(data + time_at);
  head.durable_index = Index{load_le<std::uint64_t>(data + durable_index_at)};
  head.previous = load_le<std::uint64_t>(data + previous_at);
  return head;
}

std::optional<Record> decode_record(std::string_view bytes, std::uint64_t key) {
  if (bytes.size() < record_header_size || bytes[kind_at] == 0) return std::nullopt;
  const RecordHead head = decode_record_head(bytes);
  if (head.length > max_body_bytes || head.length > bytes.size() - record_header_size)
    return std::nullopt;
  const std::size_t size = record_header_size + head.length;
  if (checksum(bytes.substr(8, size - 8), key) != head.checksum) return std::nullopt;
  Record record;
  record.checksum = head.checksum;
  record.kind = head.kind;
  record.index = head.index;
  record.term = head.term;
  record.time_us = head.time_us;
  record.durable_index = head.durable_index;
  record.previous = head.previous;
  record.body = bytes.substr(record_header_size, head.length);
  return record;
}

std::optional<Record> RecordWalk::next() {
  const std::uint64_t end = begin_ + bytes_.size();
  while (next_ + record_header_size <= end) {
    auto record = decode_record(bytes_.substr(narrow<std::size_t>(next_ - begin_)), key_);
    if (record) {
      offset_ = next_;
      next_ += record->size();
      return record;
    }
    next_ = round_up(next_ + 1);
  }
  return std::nullopt;
}

void RecordBuffer::add(const EntryView& entry) {
  ZATT_ASSERT(entry.body.size() <= max_body_bytes);
  const std::size_t at = bytes_.size();
  if (at == 0) bytes_.reserve(unit);  // so much becomes of it at least, in take()
  starts_.push_back(at);
  bytes_.append(record_header_size, '\0');
  put_head(bytes_.data() + at, entry);
  bytes_.append(entry.body);
}

void RecordBuffer::keep(std::size_t count) {
  if (count >= starts_.size()) return;
  bytes_.resize(narrow<std::size_t>(starts_[count]));
  starts_.resize(count);
}

void RecordBuffer::drop_front(std::size_t count) {
  const std::size_t bytes = narrow<std::size_t>(start(count));
  bytes_.erase(0, bytes);
  starts_.erase(starts_.begin(), starts_.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::uint64_t& at : starts_) at -= bytes;
}

void RecordBuffer::clear() { keep(0); }

Index RecordBuffer::index(std::size_t i) const {
  return Index{load_le<std::uint64_t>(bytes_.data() + starts_[i] + index_at)};
}

std::uint64_t RecordBuffer::size(std::size_t i) const { return start(i + 1) - starts_[i]; }

std::uint64_t RecordBuffer::bytes_between(std::size_t from, std::size_t to) const {
  return start(to) - start(from);
}

LogEnd RecordBuffer::seal(std::size_t from, std::size_t to, const LogEnd& end, Index durable_index,
                          std::uint64_t key) {
  LogEnd now = end;
  for (std::size_t i = from; i < to; ++i) {
    char* data = bytes_.data() + starts_[i];
    ZATT_ASSERT(index(i) == now.index + 1);
    now.checksum = seal_record(data, size(i), durable_index, now.checksum, key);
    now.index = index(i);
    now.term = Term{load_le<std::uint64_t>(data + term_at)};
  }
  return now;
}

std::string RecordBuffer::take(std::size_t from, std::size_t to) {
  std::string out;
  if (from == 0 && to == count()) {
    out = std::move(bytes_);
    bytes_.clear();
    starts_.clear();
  } else {
    out.assign(bytes_, narrow<std::size_t>(start(from)),
               narrow<std::size_t>(bytes_between(from, to)));
  }
  out.resize(narrow<std::size_t>(round_up(out.size())), '\0');
  return out;
}

std::string file_name(FileKind kind, std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 10) digits.insert(0, 10 - digits.size(), '0');
  return digits.append(suffix(kind));
}

std::optional<FileName> parse_file_name(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == 0 || dot > 19) return std::nullopt;  // also where there is none
  std::uint64_t number = 0;
  for (const char c : name.substr(0, dot)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  for (const FileKind kind : {FileKind::segment, FileKind::unfinished, FileKind::spare})
    if (name == file_name(kind, number)) return FileName{kind, number};
  return std::nullopt;
}

}  // namespace zatt::storage
