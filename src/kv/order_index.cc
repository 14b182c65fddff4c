// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/order_index.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/assert.h"

namespace zatt::kv {

struct OrderNode {
  std::uint32_t count = 0;
};

// Both kinds of node fill one heap block of 512 bytes, its own word included.
struct OrderLeaf : OrderNode {
  static constexpr std::uint32_t capacity = 122;
  OrderLeaf* next = nullptr;
  Ref refs[capacity]{};
};

struct OrderIndex::Inner : OrderNode {
  static constexpr std::uint32_t capacity = 31;
  Ref smallest[capacity]{};         // of all entries below the child
  std::uint32_t sizes[capacity]{};  // how many they are; there are no more keys than references
  OrderNode* children[capacity]{};
};

// The way from the root to a place in a leaf.
struct OrderIndex::Path {
  Inner* inner[max_height + 1];         // by level; [0] is not used
  std::uint32_t child[max_height + 1];  // which of its children was taken
  OrderLeaf* leaf;
  std::uint32_t at;
};

namespace {

// A node with fewer is merged with a neighbour, or levelled out with it.
template <class Node>
constexpr std::uint32_t sparse_below = Node::capacity / 3;

void copy_items(const OrderLeaf& from, std::uint32_t at, OrderLeaf& to, std::uint32_t to_at,
                std::uint32_t n) {
  std::memmove(to.refs + to_at, from.refs + at, n * sizeof(Ref));
}

template <class Inner>
void copy_items(const Inner& from, std::uint32_t at, Inner& to, std::uint32_t to_at,
                std::uint32_t n) {
  std::memmove(to.smallest + to_at, from.smallest + at, n * sizeof(Ref));
  std::memmove(to.sizes + to_at, from.sizes + at, n * sizeof(std::uint32_t));
  std::memmove(to.children + to_at, from.children + at, n * sizeof(void*));
}

template <class Node>
void open_gap(Node& node, std::uint32_t at) {
  ZATT_ASSERT(node.count < Node::capacity);
  copy_items(node, at, node, at + 1, node.count - at);
  ++node.count;
}

template <class Node>
void close_gap(Node& node, std::uint32_t at) {
  copy_items(node, at + 1, node, at, node.count - at - 1);
  --node.count;
}

template <class Node>
void split(Node& node, std::uint32_t cut, Node& right) {
  copy_items(node, cut, right, 0, node.count - cut);
  right.count = node.count - cut;
  node.count = cut;
}

// All into the left one if that leaves it room, else half to each.
template <class Node>
void level_out(Node& left, Node& right) {
  const std::uint32_t sum = left.count + right.count;
  const std::uint32_t want = sum <= Node::capacity * 3 / 4 ? sum : sum / 2;
  if (left.count < want) {
    const std::uint32_t n = want - left.count;
    copy_items(right, 0, left, left.count, n);
    copy_items(right, n, right, 0, right.count - n);
  } else {
    const std::uint32_t n = left.count - want;
    copy_items(right, 0, right, n, right.count);
    copy_items(left, want, right, 0, n);
  }
  left.count = want;
  right.count = sum - want;
}

OrderLeaf* as_leaf(OrderNode* node) { return static_cast<OrderLeaf*>(node); }
const OrderLeaf* as_leaf(const OrderNode* node) { return static_cast<const OrderLeaf*>(node); }

OrderIndex::Position normal(const OrderLeaf* leaf, std::uint32_t at) {
  if (at < leaf->count) return {leaf, at};
  return {leaf->next, 0};
}

}  // namespace

OrderIndex::OrderIndex(const Entries& entries) : entries_(entries), root_(make_leaf()) {}

OrderIndex::~OrderIndex() { remove_tree(root_, height_); }

void OrderIndex::clear() {
  remove_tree(root_, height_);
  height_ = 0;
  root_ = make_leaf();
}

OrderLeaf* OrderIndex::make_leaf() {
  ++nodes_;
  return new OrderLeaf;  // freed by remove
}

OrderIndex::Inner* OrderIndex::make_inner() {
  ++nodes_;
  return new Inner;  // freed by remove
}

void OrderIndex::remove(OrderNode* node, unsigned level) {
  --nodes_;
  if (level == 0)
    delete as_leaf(node);
  else
    delete static_cast<Inner*>(node);
}

void OrderIndex::remove_tree(OrderNode* node, unsigned level) {
  for (std::uint32_t i = 0; level > 0 && i < node->count; ++i)
    remove_tree(static_cast<Inner*>(node)->children[i], level - 1);
  remove(node, level);
}

std::size_t OrderIndex::memory_bytes() const {
  static_assert(sizeof(OrderLeaf) <= 504 && sizeof(Inner) <= 504);
  return nodes_ * heap_cost(sizeof(OrderLeaf));
}

// To the first place whose key is not below `key`, in the last leaf that may hold it.
OrderIndex::Path OrderIndex::find(std::string_view key) const {
  Path path{};
  OrderNode* node = root_;
  for (unsigned level = height_; level > 0; --level) {
    Inner* inner = static_cast<Inner*>(node);
    const Ref* above =
        std::upper_bound(inner->smallest + 1, inner->smallest + inner->count, key,
                         [&](std::string_view k, Ref ref) { return k < entries_.key(ref); });
    path.inner[level] = inner;
    path.child[level] = static_cast<std::uint32_t>(above - inner->smallest) - 1;
    node = inner->children[path.child[level]];
  }
  path.leaf = as_leaf(node);
  const Ref* found =
      std::lower_bound(path.leaf->refs, path.leaf->refs + path.leaf->count, key,
                       [&](Ref ref, std::string_view k) { return entries_.key(ref) < k; });
  path.at = static_cast<std::uint32_t>(found - path.leaf->refs);
  return path;
}

Ref OrderIndex::smallest(const OrderNode* node, unsigned level) const {
  ZATT_ASSERT(node->count > 0);
  return level == 0 ? as_leaf(node)->refs[0] : static_cast<const Inner*>(node)->smallest[0];
}

// How many entries are below.
std::uint32_t OrderIndex::size(const OrderNode* node, unsigned level) {
  if (level == 0) return node->count;
  const std::uint32_t* sizes = static_cast<const Inner*>(node)->sizes;
  return std::accumulate(sizes, sizes + node->count, std::uint32_t{0});
}

// Carries the smallest entries of the nodes on the path up to the root, and `more` of them.
void OrderIndex::refresh(const Path& path, std::uint32_t more) {
  for (unsigned level = 1; level <= height_; ++level) {
    Inner* inner = path.inner[level];
    const std::uint32_t at = path.child[level];
    inner->smallest[at] = smallest(inner->children[at], level - 1);
    inner->sizes[at] += more;
  }
}

void OrderIndex::insert(Ref ref) {
  const Path path = find(entries_.key(ref));
  OrderLeaf* leaf = path.leaf;
  if (leaf->count < OrderLeaf::capacity) {
    open_gap(*leaf, path.at);
    leaf->refs[path.at] = ref;
    refresh(path, 1);
    return;
  }
  // Keys that come in order, up or down, leave full leaves behind.
  const bool at_end = path.at == leaf->count;
  const std::uint32_t cut = at_end ? leaf->count : path.at == 0 ? 0 : leaf->count / 2;
  OrderLeaf* right = make_leaf();
  split(*leaf, cut, *right);
  right->next = leaf->next;
  leaf->next = right;
  const bool goes_right = at_end || path.at > cut;
  OrderLeaf* home = goes_right ? right : leaf;
  const std::uint32_t at = goes_right ? path.at - cut : path.at;
  open_gap(*home, at);
  home->refs[at] = ref;
  refresh(path, 1);
  add_child(path, 1, right);
}

// Hangs `child`, of the level below, right behind the path's child in its node of `level`. What is
// in it has come from there.
void OrderIndex::add_child(const Path& path, unsigned level, OrderNode* child) {
  const Ref ref = smallest(child, level - 1);
  const std::uint32_t moved = size(child, level - 1);
  if (level > height_) {
    ZATT_ASSERT(height_ < max_height);
    Inner* root = make_inner();
    root->count = 2;
    root->smallest[0] = smallest(root_, height_);
    root->sizes[0] = size(root_, height_);
    root->children[0] = root_;
    root->smallest[1] = ref;
    root->sizes[1] = moved;
    root->children[1] = child;
    root_ = root;
    ++height_;
    return;
  }
  Inner* inner = path.inner[level];
  std::uint32_t at = path.child[level] + 1;
  inner->sizes[at - 1] -= moved;
  Inner* right = nullptr;
  Inner* home = inner;
  if (inner->count == Inner::capacity) {
    // Each half keeps a child at least, and gets two before it is done.
    const std::uint32_t cut = at == inner->count ? at - 1 : at == 1 ? 1 : inner->count / 2;
    right = make_inner();
    split(*inner, cut, *right);
    if (at > cut) {
      home = right;
      at -= cut;
    }
  }
  open_gap(*home, at);
  home->smallest[at] = ref;
  home->sizes[at] = moved;
  home->children[at] = child;
  if (right != nullptr) add_child(path, level + 1, right);
}

void OrderIndex::erase(Ref ref) {
  const Path path = find(entries_.key(ref));
  ZATT_ASSERT(path.at < path.leaf->count && path.leaf->refs[path.at] == ref);
  close_gap(*path.leaf, path.at);
  for (unsigned level = 1; level <= height_; ++level) {
    Inner& inner = *path.inner[level];
    const std::uint32_t at = path.child[level];
    const OrderNode* child = inner.children[at];
    --inner.sizes[at];
    if (child->count < (level == 1 ? sparse_below<OrderLeaf> : sparse_below<Inner>))
      repair(inner, at, level - 1);
    else
      inner.smallest[at] = smallest(child, level - 1);
  }
  while (height_ > 0 && root_->count == 1) {
    OrderNode* only = static_cast<Inner*>(root_)->children[0];
    remove(root_, height_);
    root_ = only;
    --height_;
  }
}

// Gives a sparse child its neighbour's surplus, or the neighbour all it has.
void OrderIndex::repair(Inner& parent, std::uint32_t at, unsigned child_level) {
  ZATT_ASSERT(parent.count >= 2);
  const std::uint32_t left_at = at + 1 < parent.count ? at : at - 1;
  OrderNode* left = parent.children[left_at];
  OrderNode* right = parent.children[left_at + 1];
  if (child_level == 0)
    level_out(*as_leaf(left), *as_leaf(right));
  else
    level_out(*static_cast<Inner*>(left), *static_cast<Inner*>(right));
  parent.smallest[left_at] = smallest(left, child_level);
  parent.sizes[left_at] = size(left, child_level);
  if (right->count > 0) {
    parent.smallest[left_at + 1] = smallest(right, child_level);
    parent.sizes[left_at + 1] = size(right, child_level);
    return;
  }
  if (child_level == 0) as_leaf(left)->next = as_leaf(right)->next;
  close_gap(parent, left_at + 1);
  remove(right, child_level);
}

void OrderIndex::replace(Ref old, Ref now) {
  const Path path = find(entries_.key(old));
  ZATT_ASSERT(path.at < path.leaf->count && path.leaf->refs[path.at] == old);
  path.leaf->refs[path.at] = now;
  refresh(path, 0);
}

OrderIndex::Position OrderIndex::first() const { return at_or_after({}); }

OrderIndex::Position OrderIndex::at_or_after(std::string_view key) const {
  const Path path = find(key);
  return normal(path.leaf, path.at);
}

OrderIndex::Position OrderIndex::after(std::string_view key) const {
  const Position position = at_or_after(key);
  return position.leaf != nullptr && entries_.key(ref(position)) == key ? next(position) : position;
}

Ref OrderIndex::ref(Position position) { return position.leaf->refs[position.at]; }

OrderIndex::Position OrderIndex::next(Position position) {
  return normal(position.leaf, position.at + 1);
}

template <class Before>
std::uint64_t OrderIndex::rank(Before before) const {
  std::uint64_t rank = 0;
  const OrderNode* node = root_;
  for (unsigned level = height_; level > 0; --level) {
    const Inner* inner = static_cast<const Inner*>(node);
    const Ref* behind =
        std::partition_point(inner->smallest + 1, inner->smallest + inner->count, before);
    const std::ptrdiff_t child = behind - inner->smallest - 1;
    rank = std::accumulate(inner->sizes, inner->sizes + child, rank);
    node = inner->children[child];
  }
  const OrderLeaf* leaf = as_leaf(node);
  const Ref* behind = std::partition_point(leaf->refs, leaf->refs + leaf->count, before);
  return rank + static_cast<std::uint64_t>(behind - leaf->refs);
}

std::uint64_t OrderIndex::count(std::string_view prefix) const {
  const auto below = [&](Ref ref) { return entries_.key(ref) < prefix; };
  const auto not_past = [&](Ref ref) {
    return entries_.key(ref).substr(0, prefix.size()) <= prefix;
  };
  return rank(not_past) - rank(below);
}

void OrderIndex::check() const {
  const OrderLeaf* last_leaf = nullptr;
  Ref last = no_ref;
  check_tree(root_, height_, last_leaf, last);
  ZATT_ASSERT(last_leaf->next == nullptr);
}

std::uint64_t OrderIndex::check_tree(const OrderNode* node, unsigned level,
                                     const OrderLeaf*& last_leaf, Ref& last) const {
  if (level == 0) {
    const OrderLeaf* leaf = as_leaf(node);
    ZATT_ASSERT(leaf->count > 0 || node == root_);
    ZATT_ASSERT(last_leaf == nullptr || last_leaf->next == leaf);
    last_leaf = leaf;
    for (std::uint32_t i = 0; i < leaf->count; last = leaf->refs[i++])
      ZATT_ASSERT(last == no_ref || entries_.key(last) < entries_.key(leaf->refs[i]));
    return leaf->count;
  }
  const Inner* inner = static_cast<const Inner*>(node);
  ZATT_ASSERT(inner->count >= 2);
  std::uint64_t walked = 0;
  for (std::uint32_t i = 0; i < inner->count; ++i) {
    ZATT_ASSERT(inner->smallest[i] == smallest(inner->children[i], level - 1));
    const std::uint64_t below = check_tree(inner->children[i], level - 1, last_leaf, last);
    ZATT_ASSERT(inner->sizes[i] == below);
    walked += below;
  }
  return walked;
}

}  // namespace zatt::kv
