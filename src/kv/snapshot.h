// SPDX-License-Identifier: AGPL-3.0-or-later
// The machine's state as slices: written while it goes on changing, read back with proof.
//
// A slice is one or more whole sections. A section is a tag of four letters, the length of its body
// as u32, and the body, little-endian:
//
//   "head"  magic u64 | format u32 | rev u64 | count u64    first in the first slice
//   "item"  key length u16 | rev u64 | key | value          `count` times: the value is the rest
//   "ends"  hash u64 | proof u64                            last in the last slice
//   "none"  nothing: in a slice that only passed over younger entries, for none is empty
//
// `rev` is the machine's last revision, `hash` its order-free hash over all entries, and `proof`
// the checksum of the head keyed by `hash`. What the state comes to hold beside entries gets a
// section of its own: a version that does not know it refuses it by its tag (Code::newer).
//
// The walk goes in byte order of the keys. An entry that is about to change before the walk has
// reached it is written out first; one that has a later revision than the snapshot is not of it.
// So a snapshot taken in quiet is the same bytes on every node, and one with writes in between has
// the same entries in another order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "kv/dictionary.h"

namespace zatt::kv {

class SnapshotWriter {
 public:
  // The state as of now. The dictionary must outlive the writer.
  SnapshotWriter(const Dictionary& dictionary, std::uint64_t rev);

  // Must hear of every entry before it is changed or erased.
  void before_change(const Item& item);

  // Appends at least one section, and stops once max_bytes are passed. False with the last one.
  // The work is bounded by max_bytes and the longest entry, however many younger ones are in
  // between.
  bool next_slice(std::size_t max_bytes, std::string& out);

  std::size_t memory_bytes() const { return saved_bytes_; }

 private:
  void write(const Item& item, std::string& out);
  void walk(std::size_t max_bytes, std::string& out);

  const Dictionary& dictionary_;
  const std::uint64_t rev_;
  const std::uint64_t count_;
  const std::uint64_t hash_;
  std::string head_;               // the section
  bool started_ = false;           // it is out
  std::uint64_t written_ = 0;      // entries out, or in saved_
  bool walking_ = false;           // walked_ has a key
  std::string walked_;             // the last key that the walk passed
  std::deque<std::string> saved_;  // sections of entries that changed ahead of the walk
  std::size_t saved_bytes_ = 0;    // what they take
};

class SnapshotReader {
 public:
  // Puts the slice's entries into the dictionary, which was empty before the first.
  Status take(std::string_view slice, Dictionary& dictionary);

  // The machine's revision, once the last slice was taken and the state so proven.
  Result<std::uint64_t> finish() const;

 private:
  Status take_section(Reader& slice, Dictionary& dictionary);
  Status take_head(std::string_view body);
  Status take_item(std::string_view body, Dictionary& dictionary);
  Status take_end(std::string_view body, const Dictionary& dictionary);

  enum class Stage : std::uint8_t { head, items, ended, failed };
  Stage stage_ = Stage::head;
  std::string head_;
  std::uint64_t rev_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace zatt::kv
