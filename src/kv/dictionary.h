// SPDX-License-Identifier: AGPL-3.0-or-later
// Entries and their two indexes, kept in step: the one place that changes all three.
//
// Knows keys, values and revisions, but no commands, no conditions and no snapshots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kv/entries.h"
#include "kv/hash_index.h"
#include "kv/item.h"
#include "kv/order_index.h"

namespace zatt::kv {

// What one entry adds to the state's hash. The sum over all entries, modulo 2^64, needs no order.
std::uint64_t item_hash(const Item& item);

class Dictionary {
 public:
  using Position = OrderIndex::Position;

  explicit Dictionary(std::uint64_t hash_seed);

  Ref find(std::string_view key) const { return by_hash_.find(key); }  // or no_ref
  Item item(Ref ref) const { return entries_.item(ref); }

  // `found` is what find(key) has just answered. Texts are copied, and are not the dictionary's
  // own.
  void put(Ref found, std::string_view key, std::string_view value, std::uint64_t rev);
  void erase(Ref found);
  void clear();

  const OrderIndex& order() const { return by_order_; }
  Item item(Position position) const { return entries_.item(OrderIndex::ref(position)); }

  std::uint64_t size() const { return by_hash_.size(); }
  std::uint64_t hash() const { return hash_; }
  std::size_t memory_bytes() const;

  const HashIndex& hash_index() const { return by_hash_; }

 private:
  void release(Ref ref);

  Entries entries_;
  HashIndex by_hash_;
  OrderIndex by_order_;
  std::uint64_t hash_ = 0;
};

}  // namespace zatt::kv
