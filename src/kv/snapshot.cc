// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/snapshot.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "kv/command.h"

namespace zatt::kv {

namespace {

constexpr std::uint64_t magic = 0x0a76'6b2d'7474'617a;  // the bytes "zatt-kv\n"
constexpr std::uint32_t format = 1;

enum class Kind : std::uint8_t { header = 1, entry = 2, end = 3, nothing = 4 };

constexpr std::size_t bytes_a_look = 16;  // passing over an entry counts as so many bytes written

Error corrupt(std::string detail) {
  return {.code = Code::corrupt, .what = "reading a snapshot", .detail = std::move(detail)};
}

std::size_t cost(const std::string& record) {
  return sizeof(std::string) + heap_cost(record.capacity() + 1);
}

std::string header_record(std::uint64_t rev, std::uint64_t count) {
  std::string record;
  Writer w(record);
  w.u8(static_cast<std::uint8_t>(Kind::header));
  w.u64(magic);
  w.u32(format);
  w.u64(rev);
  w.u64(count);
  return record;
}

}  // namespace

SnapshotWriter::SnapshotWriter(const Dictionary& dictionary, std::uint64_t rev)
    : dictionary_(dictionary),
      rev_(rev),
      count_(dictionary.size()),
      hash_(dictionary.hash()),
      header_(header_record(rev_, count_)) {}

void SnapshotWriter::write(const Item& item, std::string& out) {
  Writer w(out);
  w.u8(static_cast<std::uint8_t>(Kind::entry));
  w.u16(static_cast<std::uint16_t>(item.key.size()));
  w.u32(static_cast<std::uint32_t>(item.value.size()));
  w.u64(item.rev);
  w.raw(item.key);
  w.raw(item.value);
  ++written_;
}

void SnapshotWriter::before_change(const Item& item) {
  if (item.rev > rev_) return;                  // younger than the snapshot, or already saved
  if (walking_ && item.key <= walked_) return;  // already out
  write(item, saved_.emplace_back());
  saved_bytes_ += cost(saved_.back());
}

bool SnapshotWriter::next_slice(std::size_t max_bytes, std::string& out) {
  const std::size_t begin = out.size();
  const std::size_t until = begin + std::max<std::size_t>(max_bytes, 1);
  if (!started_) out += header_;
  started_ = true;
  for (; !saved_.empty() && out.size() < until; saved_.pop_front()) {
    out += saved_.front();
    saved_bytes_ -= cost(saved_.front());
  }
  if (saved_.empty() && written_ < count_ && out.size() < until) walk(until - out.size(), out);
  if (!saved_.empty() || written_ < count_) {
    if (out.size() == begin) Writer(out).u8(static_cast<std::uint8_t>(Kind::nothing));
    return true;
  }
  Writer w(out);
  w.u8(static_cast<std::uint8_t>(Kind::end));
  w.u64(hash_);
  w.u64(checksum(header_, hash_));
  return false;
}

void SnapshotWriter::walk(std::size_t max_bytes, std::string& out) {
  const OrderIndex& order = dictionary_.order();
  Dictionary::Position p = walking_ ? order.after(walked_) : order.first();
  Item item;
  for (std::size_t cost = 0; written_ < count_ && cost < max_bytes; p = OrderIndex::next(p)) {
    ZATT_ASSERT(p.leaf != nullptr);  // what is not written yet is still ahead
    item = dictionary_.item(p);
    const std::size_t before = out.size();
    if (item.rev <= rev_) write(item, out);
    cost += std::max(out.size() - before, bytes_a_look);
  }
  walked_ = item.key;
  walking_ = true;
}

Status SnapshotReader::take(std::string_view slice, Dictionary& dictionary) {
  if (stage_ == Stage::failed) return corrupt("an earlier slice was refused");
  Status status = slice.empty() ? corrupt("an empty slice") : Status(ok);
  for (Reader r(slice); status && r.left() > 0;) status = take_record(r, dictionary);
  if (!status) stage_ = Stage::failed;
  return status;
}

Status SnapshotReader::take_record(Reader& r, Dictionary& dictionary) {
  if (stage_ == Stage::ended) return corrupt("bytes behind the end");
  const std::uint8_t kind = r.u8();
  if (stage_ == Stage::header) {
    if (kind != static_cast<std::uint8_t>(Kind::header)) return corrupt("it has no header");
    return take_header(r);
  }
  switch (static_cast<Kind>(kind)) {
    case Kind::entry:
      return take_entry(r, dictionary);
    case Kind::end:
      return take_end(r, dictionary);
    case Kind::nothing:
      return ok;
    default:
      return corrupt("a record of unknown kind " + std::to_string(kind));
  }
}

Status SnapshotReader::take_header(Reader& r) {
  const std::uint64_t its_magic = r.u64();
  const std::uint32_t its_format = r.u32();
  rev_ = r.u64();
  count_ = r.u64();
  if (!r.ok()) return corrupt("a header cut short");
  if (its_magic != magic) return corrupt("not a snapshot of this store");
  if (its_format > format)
    return Error{.code = Code::newer,
                 .what = "reading a snapshot",
                 .detail = "format " + std::to_string(its_format)};
  if (its_format != format) return corrupt("format " + std::to_string(its_format));
  header_ = header_record(rev_, count_);
  stage_ = Stage::entries;
  return ok;
}

Status SnapshotReader::take_entry(Reader& r, Dictionary& dictionary) {
  const std::uint16_t key_size = r.u16();
  const std::uint32_t value_size = r.u32();
  const std::uint64_t rev = r.u64();
  const std::string_view key = r.raw(key_size);
  const std::string_view value = r.raw(value_size);
  if (!r.ok()) return corrupt("an entry cut short");
  if (key_size > max_key_bytes) return corrupt("a key over its limit");
  if (rev == 0 || rev > rev_) return corrupt("an entry of revision " + std::to_string(rev));
  if (dictionary.size() == count_) return corrupt("more entries than its header says");
  if (dictionary.find(key) != no_ref) return corrupt("a key twice");
  dictionary.put(no_ref, key, value, rev);
  return ok;
}

Status SnapshotReader::take_end(Reader& r, const Dictionary& dictionary) {
  const std::uint64_t hash = r.u64();
  const std::uint64_t proof = r.u64();
  if (!r.ok()) return corrupt("an end cut short");
  if (dictionary.size() != count_)
    return corrupt(std::to_string(dictionary.size()) + " entries of " + std::to_string(count_));
  if (dictionary.hash() != hash) return corrupt("its entries are not those it was made of");
  if (checksum(header_, hash) != proof)
    return corrupt("its header is not the one it was made with");
  stage_ = Stage::ended;
  return ok;
}

Result<std::uint64_t> SnapshotReader::finish() const {
  if (stage_ != Stage::ended) return corrupt("its end is missing");
  return rev_;
}

}  // namespace zatt::kv
