// SPDX-License-Identifier: AGPL-3.0-or-later
// The keys in byte order, for scans by prefix and for the snapshot's walk.
//
// A B+-tree of references: a leaf is one 512-byte block of the heap, so a key costs about six
// bytes here. The leaves are chained in order. An inner node has, for each child, the reference of
// the smallest entry below it, and how many there are; comparing means looking at that entry's key,
// there are no copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kv/entries.h"

namespace zatt::kv {

struct OrderNode;
struct OrderLeaf;

class OrderIndex {
 public:
  // A place in the order; `leaf` is null behind the last key. Valid until the next change.
  struct Position {
    const OrderLeaf* leaf = nullptr;
    std::uint32_t at = 0;
  };

  // The entries must outlive the index.
  explicit OrderIndex(const Entries& entries);
  OrderIndex(const OrderIndex&) = delete;
  OrderIndex& operator=(const OrderIndex&) = delete;
  ~OrderIndex();

  void insert(Ref ref);            // its key is not there yet
  void erase(Ref ref);             // it stands in the index
  void replace(Ref old, Ref now);  // the entry `old`, still readable, will be found at `now`
  void clear();

  Position first() const;
  Position at_or_after(std::string_view key) const;
  Position after(std::string_view key) const;
  static Ref ref(Position position);
  static Position next(Position position);

  std::uint64_t count(std::string_view prefix) const;  // two ways down the tree, O(log n)

  std::size_t memory_bytes() const;

  // Asserts what the tree promises of its shape, order and sizes, by a walk; for tests.
  void check() const;

 private:
  struct Inner;
  struct Path;
  static constexpr unsigned max_height = 16;

  Path find(std::string_view key) const;
  Ref smallest(const OrderNode* node, unsigned level) const;
  static std::uint32_t size(const OrderNode* node, unsigned level);
  // How many keys, the first ones, are `before`.
  template <class Before>
  std::uint64_t rank(Before before) const;
  void refresh(const Path& path, std::uint32_t more);
  void add_child(const Path& path, unsigned level, OrderNode* child);
  void repair(Inner& parent, std::uint32_t at, unsigned child_level);
  OrderLeaf* make_leaf();
  Inner* make_inner();
  void remove(OrderNode* node, unsigned level);
  void remove_tree(OrderNode* node, unsigned level);
  // Says how many keys it walked over.
  std::uint64_t check_tree(const OrderNode* node, unsigned level, const OrderLeaf*& last_leaf,
                           Ref& last) const;

  const Entries& entries_;
  OrderNode* root_;      // an OrderLeaf at height 0, else an Inner
  unsigned height_ = 0;  // a node's level is its height above the leaves; the root's is height_
  std::size_t nodes_ = 0;
};

}  // namespace zatt::kv
