// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/hash_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"

using namespace zatt;
using namespace zatt::kv;

TEST_CASE("hash index: growing and shrinking move a few entries a write, never more") {
  Entries entries;
  HashIndex index(entries, 0);
  std::vector<Ref> refs;
  std::uint64_t most = 0;
  std::uint64_t before = 0;
  const auto note = [&] {
    most = std::max(most, index.relinked() - before);
    before = index.relinked();
  };
  for (int i = 0; i < 200000; ++i) {
    refs.push_back(entries.create("key" + std::to_string(i), "", 1));
    index.insert(refs.back());
    note();
  }
  CHECK(index.size() == 200000);
  CHECK(index.buckets() == 200000);
  CHECK(index.relinked() < 3 * index.size());
  for (const Ref ref : refs) REQUIRE(index.find(entries.key(ref)) == ref);
  CHECK(index.find("key200000") == no_ref);
  const std::size_t full = index.memory_bytes();
  for (std::size_t i = 0; i < refs.size() - 100; ++i) {
    index.erase(refs[i]);
    note();
    REQUIRE(index.buckets() <= 2 * index.size() + 64);
  }
  for (std::size_t i = 0; i < refs.size(); ++i)
    REQUIRE(index.find(entries.key(refs[i])) == (i < refs.size() - 100 ? no_ref : refs[i]));
  CHECK(index.memory_bytes() < full / 20);
  CHECK(most <= 24);  // two buckets of the longest chains
}

TEST_CASE("hash index: its memory follows the keys closely while it grows") {
  Entries entries;
  HashIndex index(entries, 1);
  for (std::uint64_t i = 1; i <= 100000; ++i) {
    index.insert(entries.create(std::to_string(i), "", 1));
    REQUIRE(index.memory_bytes() <= 4 * i * 103 / 100 + 3 * 16384);
  }
}

TEST_CASE("hash index: replace finds its entry anywhere in a chain") {
  Entries entries;
  HashIndex index(entries, 2);
  Prng prng(1);
  std::vector<Ref> refs;
  for (int i = 0; i < 5000; ++i) {
    refs.push_back(entries.create(std::to_string(i), "", 1));
    index.insert(refs.back());
  }
  for (int i = 0; i < 20000; ++i) {
    Ref& ref = refs[prng.below(refs.size())];
    const Ref now = entries.create(entries.key(ref), "", 2);
    entries.set_next(now, entries.next(ref));
    index.replace(ref, now);
    ref = now;
  }
  for (const Ref ref : refs) REQUIRE(index.find(entries.key(ref)) == ref);
}
