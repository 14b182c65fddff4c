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
constexpr std::uint32_t format = 2;

constexpr std::string_view head_tag = "head";
constexpr std::string_view item_tag = "item";
constexpr std::string_view end_tag = "ends";
constexpr std::string_view none_tag = "none";
constexpr std::size_t tag_size = 4;
constexpr std::size_t head_size = 8 + 4 + 8 + 8;
constexpr std::size_t item_head_size = 2 + 8;

constexpr std::size_t bytes_a_look = 16;  // passing over an entry counts as so many bytes written

Error refusal(Code code, std::string detail) {
  return {.code = code, .what = "reading a snapshot", .detail = std::move(detail)};
}

Error corrupt(std::string detail) { return refusal(Code::corrupt, std::move(detail)); }

// Where its tag is one, a later version wrote the section.
Error unknown(std::string_view tag) {
  if (!std::all_of(tag.begin(), tag.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
    return corrupt("a section without a tag");
  return refusal(Code::newer, "a section \"" + std::string(tag) + "\", which is not known here");
}

std::size_t cost(const std::string& section) {
  return sizeof(std::string) + heap_cost(section.capacity() + 1);
}

void begin_section(std::string_view tag, std::size_t body_bytes, Writer& w) {
  w.raw(tag);
  w.u32(static_cast<std::uint32_t>(body_bytes));
}

std::string head_section(std::uint64_t rev, std::uint64_t count) {
  std::string section;
  Writer w(section);
  begin_section(head_tag, head_size, w);
  w.u64(magic);
  w.u32(format);
  w.u64(rev);
  w.u64(count);
  return section;
}

}  // namespace

SnapshotWriter::SnapshotWriter(const Dictionary& dictionary, std::uint64_t rev)
    : dictionary_(dictionary),
      rev_(rev),
      count_(dictionary.size()),
      hash_(dictionary.hash()),
      head_(head_section(rev_, count_)) {}

void SnapshotWriter::write(const Item& item, std::string& out) {
  Writer w(out);
  begin_section(item_tag, item_head_size + item.key.size() + item.value.size(), w);
  w.u16(static_cast<std::uint16_t>(item.key.size()));
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
  if (!started_) out += head_;
  started_ = true;
  for (; !saved_.empty() && out.size() < until; saved_.pop_front()) {
    out += saved_.front();
    saved_bytes_ -= cost(saved_.front());
  }
  if (saved_.empty() && written_ < count_ && out.size() < until) walk(until - out.size(), out);
  if (!saved_.empty() || written_ < count_) {
    Writer w(out);
    if (out.size() == begin) begin_section(none_tag, 0, w);
    return true;
  }
  Writer w(out);
  begin_section(end_tag, 8 + 8, w);
  w.u64(hash_);
  w.u64(checksum(head_, hash_));
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
  for (Reader r(slice); status && r.left() > 0;) status = take_section(r, dictionary);
  if (!status) stage_ = Stage::failed;
  return status;
}

Status SnapshotReader::take_section(Reader& slice, Dictionary& dictionary) {
  if (stage_ == Stage::ended) return corrupt("bytes behind the end");
  const std::string_view tag = slice.raw(tag_size);
  if (stage_ == Stage::head && tag != head_tag) return corrupt("it has no head");
  const std::string_view body = slice.bytes();
  if (!slice.ok()) return corrupt("a section cut short");
  if (stage_ == Stage::head) return take_head(body);
  if (tag == item_tag) return take_item(body, dictionary);
  if (tag == end_tag) return take_end(body, dictionary);
  if (tag == none_tag && body.empty()) return ok;
  if (tag == none_tag || tag == head_tag)
    return corrupt("a section \"" + std::string(tag) + "\" where none belongs");
  return unknown(tag);
}

Status SnapshotReader::take_head(std::string_view body) {
  Reader r(body);
  const std::uint64_t its_magic = r.u64();
  const std::uint32_t its_format = r.u32();
  rev_ = r.u64();
  count_ = r.u64();
  if (its_magic != magic) return corrupt("not a snapshot of this machine");
  if (its_format != format)
    return refusal(
        its_format > format ? Code::newer : Code::corrupt,
        "format " + std::to_string(its_format) + ", this version knows " + std::to_string(format));
  if (!r.done()) return corrupt("a head of another length");
  head_ = head_section(rev_, count_);
  stage_ = Stage::items;
  return ok;
}

Status SnapshotReader::take_item(std::string_view body, Dictionary& dictionary) {
  Reader r(body);
  const std::uint16_t key_size = r.u16();
  const std::uint64_t rev = r.u64();
  const std::string_view key = r.raw(key_size);
  if (!r.ok()) return corrupt("an entry cut short");
  const std::string_view value = r.raw(r.left());
  if (key_size > max_key_bytes) return corrupt("a key over its limit");
  if (rev == 0 || rev > rev_) return corrupt("an entry of revision " + std::to_string(rev));
  if (dictionary.size() == count_) return corrupt("more entries than its head says");
  if (dictionary.find(key) != no_ref) return corrupt("a key twice");
  dictionary.put(no_ref, key, value, rev);
  return ok;
}

Status SnapshotReader::take_end(std::string_view body, const Dictionary& dictionary) {
  Reader r(body);
  const std::uint64_t hash = r.u64();
  const std::uint64_t proof = r.u64();
  if (!r.done()) return corrupt("an end of another length");
  if (dictionary.size() != count_)
    return corrupt(std::to_string(dictionary.size()) + " entries of " + std::to_string(count_));
  if (dictionary.hash() != hash) return corrupt("its entries are not those it was made of");
  if (checksum(head_, hash) != proof) return corrupt("its head is not the one it was made with");
  stage_ = Stage::ended;
  return ok;
}

Result<std::uint64_t> SnapshotReader::finish() const {
  if (stage_ != Stage::ended) return corrupt("its end is missing");
  return rev_;
}

}  // namespace zatt::kv
