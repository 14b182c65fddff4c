// SPDX-License-Identifier: AGPL-3.0-or-later
// Key to entry in one step of expected constant cost, and never a pause to grow.
//
// Linear hashing (Litwin 1980): the table grows by one bucket at a time, each taking its keys from
// exactly one older bucket, and shrinks by the same way back. So no write ever moves more than two
// buckets' chains, and the table's memory follows the number of keys. Chains run through the
// entries' own `next`.
//
// The order within a chain depends on history and seed: nothing may iterate over this table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/narrow.h"
#include "kv/entries.h"

namespace zatt::kv {

class HashIndex {
 public:
  // The entries must outlive the index.
  HashIndex(Entries& entries, std::uint64_t seed);

  // no_ref when the key is not there.
  Ref find(std::string_view key) const;

  void insert(Ref ref);  // its key is not there yet
  void erase(Ref ref);   // it stands in the index; the entry itself stays
  // The entry `old` will from now on be found at `now`, to which its bytes are yet to move, or
  // have been copied (`next` too).
  void replace(Ref old, Ref now);
  void clear();

  std::uint64_t size() const { return size_; }
  std::uint64_t buckets() const { return buckets_; }
  // Entries looked at so far for growing and shrinking: the tests hold each write to a few.
  std::uint64_t relinked() const { return relinked_; }
  // How many entries a search for this key may look at.
  std::uint64_t chain_length(std::string_view key) const;
  std::size_t memory_bytes() const;

 private:
  static constexpr std::size_t chunk_buckets = 4096;
  static constexpr std::uint64_t min_buckets = 64;
  using Chunk = std::array<Ref, chunk_buckets>;

  Ref& head(std::uint64_t bucket) {
    return (*chunks_[narrow<std::size_t>(bucket / chunk_buckets)])[bucket % chunk_buckets];
  }
  Ref head(std::uint64_t bucket) const {
    return (*chunks_[narrow<std::size_t>(bucket / chunk_buckets)])[bucket % chunk_buckets];
  }
  std::uint64_t bucket_of(std::string_view key) const;
  void add_bucket();
  void remove_bucket();

  Entries& entries_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint64_t buckets_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t relinked_ = 0;
};

}  // namespace zatt::kv
