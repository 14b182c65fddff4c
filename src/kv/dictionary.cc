// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/dictionary.h"

#include "base/assert.h"
#include "base/checksum.h"

namespace zatt::kv {

std::uint64_t item_hash(const Item& item) {
  return checksum(item.value, checksum(item.key, item.rev));
}

Dictionary::Dictionary(std::uint64_t hash_seed)
    : by_hash_(entries_, hash_seed), by_order_(entries_) {}

void Dictionary::put(Ref found, std::string_view key, std::string_view value, std::uint64_t rev) {
  hash_ += item_hash({.key = key, .value = value, .rev = rev});
  if (found == no_ref) {
    const Ref ref = entries_.create(key, value, rev);
    by_hash_.insert(ref);
    by_order_.insert(ref);
    return;
  }
  hash_ -= item_hash(entries_.item(found));
  if (entries_.rewrite(found, value, rev)) return;
  const Ref ref = entries_.create(key, value, rev);
  entries_.set_next(ref, entries_.next(found));
  by_hash_.replace(found, ref);
  by_order_.replace(found, ref);
  release(found);
}

void Dictionary::erase(Ref found) {
  hash_ -= item_hash(entries_.item(found));
  by_hash_.erase(found);
  by_order_.erase(found);
  release(found);
}

// Gives back the slot of an entry that stands in no index any more.
void Dictionary::release(Ref ref) {
  const Ref last = entries_.last_of(ref);
  if (last != ref) {
    by_hash_.replace(last, ref);
    by_order_.replace(last, ref);
  }
  entries_.destroy(ref);
}

void Dictionary::clear() {
  by_order_.clear();
  by_hash_.clear();
  entries_.clear();
  hash_ = 0;
}

std::size_t Dictionary::memory_bytes() const {
  return entries_.memory_bytes() + by_hash_.memory_bytes() + by_order_.memory_bytes();
}

}  // namespace zatt::kv
