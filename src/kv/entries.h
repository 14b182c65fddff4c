// SPDX-License-Identifier: AGPL-3.0-or-later
// Where a million entries live at close to their own bytes: dense pages, 32-bit references.
//
// Each size class (a multiple of 8 bytes) is a stack of 16 KiB pages full of equal slots. When an
// entry goes, the last one of its class moves into its slot: there are no holes, so churn cannot
// fragment the store, and every empty page is free for any class. The price is that entries move,
// so whoever frees one first points its holders to the new place (last_of).
//
//   slot +--------+----------------------+---------+------------+--------+------------+---+-----+
//        |next u32|key length u13, flags3|widths u8|value length|revision|deadline u64|key|value|
//        +--------+----------------------+---------+------------+--------+------------+---+-----+
//         the hash chain's next entry     bytes of the next two, 1-4, 1-8  if flagged
//
// What would not fit a slot of 1 KiB is `big`: key and value stand in a block of their own, and
// the slot has the block's address in their place. Two flags are kept for what is to come: an
// entry with a deadline, and a snapshot's mark on one that changes without a new revision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kv/item.h"

namespace zatt::kv {

// A slot's page and place in it, in 8-byte steps: 32 GiB of slots in all.
using Ref = std::uint32_t;
inline constexpr Ref no_ref = 0;

// What `size` bytes take from the C library's heap, its own word included (glibc, 64-bit).
constexpr std::size_t heap_cost(std::size_t size) {
  return size + 8 <= 32 ? 32 : (size + 8 + 15) / 16 * 16;
}

class Entries {
 public:
  Entries() : classes_(max_slot_bytes / step + 1) {}
  Entries(const Entries&) = delete;
  Entries& operator=(const Entries&) = delete;
  ~Entries() { clear(); }

  // A new entry, in no chain. Invalidates no reference.
  Ref create(std::string_view key, std::string_view value, std::uint64_t rev);

  // Gives the entry another value and revision if that fits its slot, else says false.
  bool rewrite(Ref ref, std::string_view value, std::uint64_t rev);

  // The entry that destroy(ref) will move to `ref`; `ref` itself when none has to.
  Ref last_of(Ref ref) const;
  void destroy(Ref ref);
  void clear();

  std::string_view key(Ref ref) const;
  Item item(Ref ref) const;

  Ref next(Ref ref) const;
  void set_next(Ref ref, Ref next);

  std::size_t memory_bytes() const;

 private:
  static constexpr std::size_t step = 8;
  static constexpr std::size_t page_bytes = 16384;
  static constexpr std::size_t max_slot_bytes = 1024;
  static constexpr unsigned place_bits = 11;  // page_bytes / step places
  static constexpr std::size_t max_pages = std::size_t{1} << (32 - place_bits);

  struct Class {
    std::vector<std::uint32_t> pages;
    std::uint32_t used = 0;  // slots of the last page
  };
  struct Form;

  char* at(Ref ref) { return pages_[ref >> place_bits].get() + place(ref); }
  const char* at(Ref ref) const { return pages_[ref >> place_bits].get() + place(ref); }
  static std::size_t place(Ref ref) { return (ref & ((1U << place_bits) - 1)) * step; }

  std::size_t class_of(Ref ref) const;
  Ref take_slot(std::size_t size_class);
  std::uint32_t take_page();
  void give_slot(std::size_t size_class);
  void write(char* slot, const Form& form, std::string_view key, std::string_view value);
  void free_block(const char* slot);

  std::vector<Class> classes_;                  // by slot size / step
  std::vector<std::unique_ptr<char[]>> pages_;  // by number; [0] stays empty, so that 0 is no_ref
  std::vector<std::uint32_t> free_numbers_;     // of pages given back
  std::size_t block_bytes_ = 0;
};

}  // namespace zatt::kv
