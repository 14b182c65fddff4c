// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/order_index.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "base/prng.h"

using namespace zatt;
using namespace zatt::kv;

namespace {

struct World {
  Entries entries;
  OrderIndex order{entries};
  std::map<std::string, Ref> model;

  void insert(const std::string& key) {
    if (model.contains(key)) return;
    model[key] = entries.create(key, "", 1);
    order.insert(model[key]);
  }
  void erase(const std::string& key) {
    order.erase(model.at(key));
    model.erase(key);  // the entry stays: a slot that moves is another test's
  }
  std::uint64_t count(const std::string& prefix) const {
    std::uint64_t n = 0;
    for (auto it = model.lower_bound(prefix); it != model.end() && it->first.starts_with(prefix);
         ++it)
      ++n;
    return n;
  }
  void check() const {
    order.check();
    REQUIRE(order.count("") == model.size());
    OrderIndex::Position p = order.first();
    for (const auto& [key, ref] : model) {
      REQUIRE(p.leaf != nullptr);
      REQUIRE(OrderIndex::ref(p) == ref);
      p = OrderIndex::next(p);
    }
    REQUIRE(p.leaf == nullptr);
  }
};

std::string key_of(std::uint64_t n) {
  const std::string digits = std::to_string(n);
  return "key" + std::string(7 - digits.size(), '0') + digits;
}

}  // namespace

TEST_CASE("order: an empty index has no first") {
  World w;
  CHECK(w.order.first().leaf == nullptr);
  CHECK(w.order.after("").leaf == nullptr);
  CHECK(w.order.count("") == 0);
  w.insert("");
  CHECK(w.order.first().leaf != nullptr);
  CHECK(w.order.after("").leaf == nullptr);
  w.erase("");
  w.check();
}

TEST_CASE("order: random inserts, deletes and moves keep shape and order") {
  Prng prng(1);
  World w;
  for (int round = 0; round < 12; ++round) {
    const bool growing = round % 4 < 2;
    for (int i = 0; i < 6000; ++i) {
      const std::string key = key_of(prng.below(round < 6 ? 30000 : 500));
      const auto it = w.model.lower_bound(key);
      if (prng.chance(growing ? 8 : 2, 10)) {
        w.insert(key);
      } else if (it != w.model.end()) {
        if (prng.chance(1, 5)) {
          const Ref now = w.entries.create(it->first, "", 2);
          w.order.replace(it->second, now);
          it->second = now;
        } else {
          w.erase(it->first);
        }
      }
    }
    w.check();
  }
  while (!w.model.empty()) {
    w.erase(
        std::next(w.model.begin(), static_cast<long>(prng.below(w.model.size() / 50 + 1)))->first);
    if (w.model.size() % 500 == 0) w.check();
  }
  CHECK(w.order.memory_bytes() == OrderIndex(w.entries).memory_bytes());
}

TEST_CASE("order: keys that come in order leave full leaves behind") {
  for (const bool up : {true, false}) {
    CAPTURE(up);
    World w;
    for (std::uint64_t i = 0; i < 100000; ++i) w.insert(key_of(up ? i : 100000 - i));
    w.check();
    CHECK(w.order.memory_bytes() < 100000 * 9 / 2);
    for (std::uint64_t i = 0; i < 100000; ++i) w.erase(w.model.begin()->first);
    w.check();
  }
}

TEST_CASE("order: a thinned index gives its nodes back") {
  Prng prng(2);
  World w;
  for (std::uint64_t i = 0; i < 50000; ++i) w.insert(key_of(prng.below(10000000)));
  const std::size_t full = w.order.memory_bytes();
  std::uint64_t n = 0;
  for (auto it = w.model.begin(); it != w.model.end();) {
    const std::string key = (it++)->first;
    if (n++ % 10 != 0) w.erase(key);
  }
  w.check();
  CHECK(w.order.memory_bytes() < full / 4);
}

TEST_CASE("order: at_or_after and after stand where they say, at every leaf's edge") {
  World w;
  for (std::uint64_t i = 0; i < 1000; ++i) w.insert(key_of(2 * i));
  const auto number = [&](OrderIndex::Position p) {
    return p.leaf == nullptr ? 9999
                             : std::stoi(std::string(w.entries.key(OrderIndex::ref(p)).substr(3)));
  };
  for (int i = 0; i < 1998; ++i) {
    const std::string key = key_of(static_cast<std::uint64_t>(i));
    REQUIRE(number(w.order.at_or_after(key)) == (i + 1) / 2 * 2);
    REQUIRE(number(w.order.after(key)) == i / 2 * 2 + 2);
  }
  CHECK(number(w.order.after(key_of(1998))) == 9999);
  CHECK(number(w.order.at_or_after("zzz")) == 9999);
  CHECK(w.order.count("key000") == 1000);
  CHECK(w.order.count("key0000") == 500);
  CHECK(w.order.count("key00000") == 50);
  CHECK(w.order.count("key1") == 0);
}

TEST_CASE("order: a prefix is counted right at any place, after long random histories") {
  Prng prng(3);
  World w;
  // Keys of a few letters, the highest byte among them: each is another's prefix.
  const std::string letters("\0\1ab\xfe\xff", 6);
  const auto random_key = [&](std::uint64_t longest) {
    std::string key;
    for (std::uint64_t i = prng.below(longest + 1); i > 0; --i)
      key += letters[prng.below(letters.size())];
    return key;
  };
  for (int round = 0; round < 20; ++round) {
    const bool growing = round % 5 < 3;
    for (int i = 0; i < 3000; ++i) {
      const std::string key = random_key(7);
      const auto it = w.model.lower_bound(key);
      if (prng.chance(growing ? 9 : 2, 10))
        w.insert(key);
      else if (it != w.model.end())
        w.erase(it->first);
    }
    w.check();
    for (int i = 0; i < 300; ++i) {
      const std::string prefix = random_key(5);
      REQUIRE(w.order.count(prefix) == w.count(prefix));
    }
    REQUIRE(w.order.count("b" + std::string(300, '\xff')) == 0);
  }
}
