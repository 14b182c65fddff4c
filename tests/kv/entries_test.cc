// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/entries.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "base/prng.h"

using namespace zatt;
using namespace zatt::kv;

TEST_CASE("entries: every width of length and revision comes back") {
  Entries entries;
  std::map<Ref, std::pair<std::string, std::uint64_t>> model;
  const std::uint64_t revs[] = {0,       1,          255,        256,        65535,
                                1 << 24, 1ULL << 32, 1ULL << 40, 1ULL << 48, ~0ULL};
  for (std::uint64_t size = 0; size < 70000; size += size < 1100 ? 1 : 7919)
    for (const std::uint64_t rev : revs) {
      const std::string value(size, static_cast<char>('a' + size % 26));
      const Ref ref = entries.create("key", value, rev);
      REQUIRE(ref != no_ref);
      REQUIRE(model.emplace(ref, std::pair(value, rev)).second);
      entries.set_next(ref, ref + 1);
    }
  for (const auto& [ref, held] : model) {
    REQUIRE(entries.key(ref) == "key");
    REQUIRE(entries.item(ref).key == "key");
    REQUIRE(entries.item(ref).value == held.first);
    REQUIRE(entries.item(ref).rev == held.second);
    REQUIRE(entries.next(ref) == ref + 1);
  }
}

TEST_CASE("entries: rewrite keeps key and chain, or refuses and changes nothing") {
  Prng prng(1);
  int kept = 0;
  Entries entries;
  for (int round = 0; round < 20000; ++round) {
    const std::string key(prng.below(prng.chance(1, 4) ? 4096 : 40), 'k');
    const std::string old(prng.below(prng.chance(1, 4) ? 3000 : 40), 'o');
    const std::string now(prng.chance(1, 2) ? old.size() + prng.below(3) : prng.below(3000), 'n');
    const std::uint64_t rev = prng.next() >> prng.below(64);
    const Ref ref = entries.create(key, old, rev);
    entries.set_next(ref, 77);
    const bool done = entries.rewrite(ref, now, rev + 1);
    kept += done ? 1 : 0;
    REQUIRE(entries.item(ref).key == key);
    REQUIRE(entries.item(ref).value == (done ? now : old));
    REQUIRE(entries.item(ref).rev == (done ? rev + 1 : rev));
    REQUIRE(entries.next(ref) == 77);
    if (prng.chance(1, 2)) entries.destroy(entries.last_of(ref));
  }
  CHECK(kept > 2000);
}

TEST_CASE("entries: the last of a class fills the hole, and pages go back") {
  Entries entries;
  const std::size_t empty = entries.memory_bytes();
  Prng prng(2);
  std::map<Ref, std::string> model;
  for (int round = 0; round < 6; ++round) {
    const bool growing = round % 2 == 0;
    for (int i = 0; i < 8000; ++i) {
      if (prng.chance(growing ? 9 : 1, 10)) {
        const std::string key = std::to_string(prng.next());
        const std::size_t size = prng.below(prng.chance(1, 10) ? 2000 : 100);
        const Ref ref = entries.create(key, std::string(size, 'v'), 1);
        REQUIRE(model.emplace(ref, key).second);
      } else if (!model.empty()) {
        auto it = model.lower_bound(static_cast<Ref>(prng.below(model.rbegin()->first + 1)));
        if (it == model.end()) it = model.begin();
        const Ref last = entries.last_of(it->first);
        entries.destroy(it->first);
        it->second = model.at(last);
        model.erase(last);
      }
    }
    for (const auto& [ref, key] : model) REQUIRE(entries.key(ref) == key);
  }
  while (!model.empty()) {
    const auto it = model.begin();
    const Ref last = entries.last_of(it->first);
    entries.destroy(it->first);
    it->second = model.at(last);
    model.erase(last);
  }
  CHECK(entries.memory_bytes() < empty + 8192);  // the lists of pages, no page
  entries.create("k", std::string(5000, 'v'), 1);
  entries.clear();
  CHECK(entries.memory_bytes() <= empty);
}
