// SPDX-License-Identifier: AGPL-3.0-or-later
// The state machine that we ship: commands applied to a dictionary of keys to JSON texts with
// revisions, found by hash, walked in byte order.
//
// A write's revision is the index of its log entry, so it grows with every later write in the
// whole cluster. What decides a result (conditions, incr) is in operations.h; how entries are kept
// is dictionary.h's, how they become slices snapshot.h's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/state_machine.h"
#include "kv/item.h"

namespace zatt::kv {

struct OrderLeaf;

class Machine final : public StateMachine {
 public:
  // The seed places keys in the hash table. It decides no reply, no hash of the state and no
  // snapshot: nodes may differ in it.
  explicit Machine(std::uint64_t hash_seed = 0);
  ~Machine() override;

  void apply(Index index, std::uint64_t time_us, std::string_view command,
             std::string& reply) override;
  void begin_snapshot() override;
  bool next_slice(std::size_t max_bytes, std::string& out) override;
  void end_snapshot() override;
  void begin_restore() override;
  Status restore_slice(std::string_view slice) override;
  Status end_restore() override;

  std::optional<Item> get(std::string_view key) const;

  // A walk in byte order over the keys that start with `prefix` and come strictly after `after`
  // (where given). Valid until the next apply or restore.
  class Cursor {
   public:
    bool at_end() const;
    Item item() const;
    void advance();

   private:
    friend class Machine;
    const Machine* store_ = nullptr;
    const OrderLeaf* leaf_ = nullptr;  // of the order index; null behind the last key
    std::uint32_t at_ = 0;
    std::string prefix_;
  };
  Cursor scan(std::string_view prefix, std::optional<std::string_view> after) const;

  // Keys that start with `prefix`, in O(log size()) comparisons however many they are; the empty
  // prefix is O(1).
  std::uint64_t count(std::string_view prefix) const;
  std::uint64_t size() const;

  // The revision of the last write that took effect; 0 before the first.
  std::uint64_t rev() const;

  // A hash over all (key, value, rev), independent of their order, kept running: equal on every
  // node at the same applied index.
  std::uint64_t state_hash() const;

  // How many keys a search for this one may compare, at worst.
  std::uint64_t search_length(std::string_view key) const;

  // Bytes that the store holds from the heap now, the heap's own overhead included.
  std::size_t memory_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::kv
