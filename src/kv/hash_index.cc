// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/hash_index.h"

#include <bit>

#include "base/assert.h"
#include "base/checksum.h"

namespace zatt::kv {

HashIndex::HashIndex(Entries& entries, std::uint64_t seed) : entries_(entries), seed_(seed) {
  clear();
}

void HashIndex::clear() {
  chunks_.clear();
  chunks_.shrink_to_fit();
  chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
  buckets_ = min_buckets;
  for (std::uint64_t bucket = 0; bucket < buckets_; ++bucket) head(bucket) = no_ref;
  size_ = 0;
}

// With n buckets, 2^k < n <= 2^(k+1), the low k+1 bits of the hash name the bucket; one that is
// not there yet still has its keys where the low k bits point.
std::uint64_t HashIndex::bucket_of(std::string_view key) const {
  const std::uint64_t mask = std::bit_ceil(buckets_) - 1;
  const std::uint64_t bucket = checksum(key, seed_) & mask;
  return bucket < buckets_ ? bucket : bucket & (mask >> 1);
}

Ref HashIndex::find(std::string_view key) const {
  Ref ref = head(bucket_of(key));
  while (ref != no_ref && entries_.key(ref) != key) ref = entries_.next(ref);
  return ref;
}

void HashIndex::insert(Ref ref) {
  Ref& first = head(bucket_of(entries_.key(ref)));
  entries_.set_next(ref, first);
  first = ref;
  if (++size_ > buckets_) add_bucket();
}

void HashIndex::erase(Ref ref) {
  const Ref next = entries_.next(ref);
  replace(ref, next);
  --size_;
  // Two a delete, so that the buckets never stay above twice the keys.
  for (int i = 0; i < 2 && buckets_ > 2 * size_ + min_buckets; ++i) remove_bucket();
}

void HashIndex::replace(Ref old, Ref now) {
  Ref& first = head(bucket_of(entries_.key(old)));
  if (first == old) {
    first = now;
    return;
  }
  Ref before = first;
  while (entries_.next(before) != old) before = entries_.next(before);
  entries_.set_next(before, now);
}

void HashIndex::add_bucket() {
  const std::uint64_t added = buckets_;
  const std::uint64_t source = added - std::bit_floor(added);
  if (added / chunk_buckets == chunks_.size())
    chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
  ++buckets_;
  Ref ref = head(source);
  head(source) = head(added) = no_ref;
  while (ref != no_ref) {
    const Ref next = entries_.next(ref);
    const std::uint64_t bucket = bucket_of(entries_.key(ref));
    ZATT_ASSERT(bucket == source || bucket == added);
    entries_.set_next(ref, head(bucket));
    head(bucket) = ref;
    ref = next;
    ++relinked_;
  }
}

void HashIndex::remove_bucket() {
  const std::uint64_t removed = buckets_ - 1;
  const std::uint64_t target = removed - std::bit_floor(removed);
  Ref ref = head(removed);
  while (ref != no_ref) {
    const Ref next = entries_.next(ref);
    entries_.set_next(ref, head(target));
    head(target) = ref;
    ref = next;
    ++relinked_;
  }
  --buckets_;
  if (removed % chunk_buckets == 0) chunks_.pop_back();
}

std::uint64_t HashIndex::chain_length(std::string_view key) const {
  std::uint64_t length = 0;
  for (Ref ref = head(bucket_of(key)); ref != no_ref; ref = entries_.next(ref)) ++length;
  return length;
}

std::size_t HashIndex::memory_bytes() const {
  return chunks_.size() * heap_cost(sizeof(Chunk)) +
         heap_cost(chunks_.capacity() * sizeof(chunks_[0]));
}

}  // namespace zatt::kv
