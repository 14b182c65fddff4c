// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/snapshot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/kv/model.h"

using namespace zatt;
using namespace zatt::kv;
using namespace zatt::kv::test;
using namespace std::string_literals;

namespace {

using Slices = std::vector<std::string>;

Slices snapshot(Machine& store, std::size_t max_bytes) {
  Slices slices;
  store.begin_snapshot();
  for (bool more = true; more;) more = store.next_slice(max_bytes, slices.emplace_back());
  store.end_snapshot();
  return slices;
}

Status restore(Machine& store, const Slices& slices) {
  store.begin_restore();
  for (const std::string& slice : slices)
    if (Status status = store.restore_slice(slice); !status) return status;
  return store.end_restore();
}

// Random writes, remembered by a model.
struct World {
  explicit World(std::uint64_t seed, std::uint64_t key_variety = 1000)
      : prng(seed), variety(key_variety) {}

  void run(int writes) {
    for (; writes > 0; --writes) {
      const Write write = random_write(prng, model.map, variety);
      ++index;
      REQUIRE(apply(store, index, write) == model.apply(index, write));
    }
  }

  Prng prng;
  std::uint64_t variety;
  Machine store;
  Model model;
  std::uint64_t index = 0;
};

void fill(Machine& store, int n) {
  for (int i = 1; i <= n; ++i)
    apply(store, static_cast<std::uint64_t>(i),
          {.op = Op::set, .key = "key" + std::to_string(i), .value = std::to_string(i)});
}

}  // namespace

TEST_CASE("snapshot: the bytes are the documented ones") {
  Machine store;
  apply(store, 258, {.op = Op::set, .key = "ab", .value = "[1]"});
  apply(store, 259, {.op = Op::set, .key = "gone", .value = "1"});
  apply(store, 260, {.op = Op::del, .key = "gone"});
  const std::string bytes = join(snapshot(store, 1 << 20), "");
  const std::string head =
      "head\x1c\0\0\0zatt-kv\n\x02\0\0\0\x04\x01\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"s;
  const std::string item =
      "item\x0f\0\0\0\x02\0\x02\x01\0\0\0\0\0\0"s
      "ab[1]"s;
  CHECK(bytes.substr(0, head.size()) == head);
  CHECK(bytes.substr(head.size(), item.size()) == item);
  const std::string end = bytes.substr(head.size() + item.size());
  REQUIRE(end.size() == 24);
  CHECK(end.substr(0, 8) == "ends\x10\0\0\0"s);
  CHECK(load_le<std::uint64_t>(end.data() + 8) == store.state_hash());
  // Pinned whole: what one version wrote, the next must read.
  CHECK(end.substr(8) == "\x05\xaf\x0a\x8d\x0c\x85\x8a\xeb\xd7\xe8\x6b\x79\x51\xe6\xba\x5d");
}

TEST_CASE("snapshot: a restored store equals the original") {
  for (const std::size_t max_bytes : {0U, 1U, 100U, 5000U, 1U << 30}) {
    CAPTURE(max_bytes);
    World world(max_bytes + 1);
    world.run(max_bytes < 100 ? 500 : 5000);
    const Slices slices = snapshot(world.store, max_bytes);
    CHECK(join(slices, "") == join(snapshot(world.store, 1 << 30), ""));
    Machine other(7);
    fill(other, 10);  // what it held before is dropped
    const Status status = restore(other, slices);
    REQUIRE(status);
    CHECK(contents(other) == world.model.map);
    CHECK(other.state_hash() == world.store.state_hash());
    CHECK(other.rev() == world.store.rev());
    CHECK(other.size() == world.store.size());
    CHECK(snapshot(other, max_bytes) == slices);
    // And it goes on in the same way.
    for (int i = 0; i < 500; ++i) {
      const Write write = random_write(world.prng, world.model.map, world.variety);
      ++world.index;
      REQUIRE(apply(other, world.index, write) == world.model.apply(world.index, write));
    }
    CHECK(contents(other) == world.model.map);
  }
}

TEST_CASE("snapshot: an empty store, before and after its first writes") {
  Machine store;
  const Slices before = snapshot(store, 100);
  apply(store, 5, {.op = Op::set, .key = "k", .value = "1"});
  apply(store, 6, {.op = Op::del, .key = "k"});
  const Slices after = snapshot(store, 100);
  CHECK(before != after);
  Machine other;
  REQUIRE(restore(other, before));
  CHECK(other.rev() == 0);
  REQUIRE(restore(other, after));
  CHECK(other.rev() == 6);
  CHECK(other.size() == 0);
}

TEST_CASE("snapshot: writes in between do not show") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    World world(seed, seed % 3 == 0 ? 20 : 800);
    world.run(static_cast<int>(world.prng.below(3000)));
    const Map want = world.model.map;
    const std::uint64_t rev = world.store.rev();
    const std::uint64_t hash = world.store.state_hash();
    const std::size_t max_bytes = world.prng.between(1, seed % 2 == 0 ? 300 : 30000);
    Slices slices;
    world.store.begin_snapshot();
    for (bool more = true; more;) {
      world.run(static_cast<int>(world.prng.below(30)));
      more = world.store.next_slice(max_bytes, slices.emplace_back());
      REQUIRE_FALSE(slices.back().empty());
      REQUIRE(slices.back().size() < max_bytes + 45000);  // and one entry
      REQUIRE(slices.size() < 200000);
    }
    world.store.end_snapshot();
    CHECK(contents(world.store) == world.model.map);
    Machine other;
    const Status status = restore(other, slices);
    REQUIRE(status);
    CHECK(contents(other) == want);
    CHECK(other.rev() == rev);
    CHECK(other.state_hash() == hash);
  }
}

TEST_CASE(
    "snapshot: an entry changed ahead of the walk comes out first, in "
    "its old form") {
  Machine store;
  fill(store, 300);
  store.begin_snapshot();
  std::string first;
  REQUIRE(store.next_slice(100, first));
  apply(store, 400, {.op = Op::set, .key = "key99", .value = "\"new\""});
  apply(store, 401, {.op = Op::del, .key = "key98"});
  apply(store, 402, {.op = Op::set, .key = "key98", .value = "\"born again\""});
  apply(store, 403, {.op = Op::incr, .key = "key97"});
  const std::size_t holding = store.memory_bytes();
  std::string second;
  REQUIRE(store.next_slice(60, second));
  CHECK(store.memory_bytes() < holding);
  CHECK(second.find("key9999") < second.find("key9898"));
  CHECK(second.find("key9898") < second.find("key9797"));
  CHECK(second.find("key9797") != std::string::npos);
  CHECK(second.find("new") == std::string::npos);
}

TEST_CASE("snapshot: younger entries do not stretch a slice's work") {
  Machine store;
  apply(store, 1, {.op = Op::set, .key = "z", .value = "1"});
  store.begin_snapshot();
  Slices slices;
  REQUIRE(store.next_slice(1, slices.emplace_back()));
  for (std::uint64_t i = 0; i < 10000; ++i)
    apply(store, 2 + i, {.op = Op::set, .key = "a" + std::to_string(i), .value = "1"});
  while (store.next_slice(1600, slices.emplace_back())) REQUIRE_FALSE(slices.back().empty());
  CHECK(slices.size() >= 100);  // at most 100 entries each
  CHECK(slices.size() < 110);
  Machine other;
  REQUIRE(restore(other, slices));
  CHECK(other.size() == 1);
  CHECK(other.rev() == 1);
}

TEST_CASE("snapshot: one given up leaves no trace") {
  Machine store;
  fill(store, 100);
  const Slices quiet = snapshot(store, 50);
  store.begin_snapshot();
  std::string slice;
  REQUIRE(store.next_slice(10, slice));
  store.end_snapshot();
  store.end_snapshot();
  CHECK(snapshot(store, 50) == quiet);
  store.begin_snapshot();
  REQUIRE(store.next_slice(10, slice));
  REQUIRE(restore(store, quiet));  // which gives it up as well
  CHECK(snapshot(store, 50) == quiet);
}

TEST_CASE("restore: what is not the whole of one snapshot is refused") {
  Machine store;
  fill(store, 3);
  const std::string whole = join(snapshot(store, 1000), "");
  const std::string head = whole.substr(0, 36);
  const std::string item = whole.substr(36, 23);
  const std::string rest = whole.substr(59);
  REQUIRE(rest.substr(0, 4) == "item");
  const auto with = [](std::string bytes, std::size_t at, char byte) {
    bytes[at] = byte;
    return bytes;
  };
  struct Row {
    const char* detail;
    Slices slices;
  };
  const Row rows[] = {
      {"its end is missing", {}},
      {"its end is missing", {head}},
      {"its end is missing", {head, item}},
      {"an empty slice", {head, ""}},
      {"it has no head", {item}},
      {"it has no head", {with(whole, 0, '\7')}},
      {"it has no head", {"hea"}},
      {"a section cut short", {head.substr(0, 35)}},
      {"a section cut short", {head.substr(0, 6)}},
      {"a head of another length", {with(head, 4, '\x1d') + '\0'}},
      {"a section \"head\" where none belongs", {head, head}},
      {"a section \"none\" where none belongs", {head, "none\1\0\0\0x"s}},
      {"a section without a tag", {head, "Item\0\0\0\0"s}},
      {"a section without a tag", {head, "\5\0\0\0\0\0\0\0"s}},
      {"not a snapshot of this machine", {with(whole, 10, '?')}},
      {"format 0, this version knows 2", {with(whole, 16, '\0')}},
      {"format 1, this version knows 2", {with(whole, 16, '\1')}},
      {"a section cut short", {head, item.substr(0, 22)}},
      {"a section cut short", {head, with(item, 6, '\x7f')}},
      {"an entry cut short", {head, with(item, 8, '\x7f')}},
      {"an entry cut short", {head, "item\1\0\0\0k"s}},
      {"a key twice", {head, item, item}},
      {"an entry of revision 0", {head, with(item, 10, '\0')}},
      {"an entry of revision 4", {head, with(item, 10, '\4')}},
      {"2 entries of 3", {head, rest}},
      {"more entries than its head says", {with(head, 28, '\2'), item, rest}},
      {"its entries are not those it was made of", {with(whole, 55, 'K')}},
      {"its head is not the one it was made with", {with(whole, 20, '\4')}},
      {"an end of another length", {with(whole, whole.size() - 20, '\x11') + '\0'}},
      {"bytes behind the end", {whole, item}},
      {"bytes behind the end", {whole + "\4"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.detail);
    Machine other;
    const Status status = restore(other, row.slices);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::corrupt);
    CHECK(status.error().detail == row.detail);
    REQUIRE(restore(other, {whole}));  // a failed restore does not stand in a good one's way
    CHECK(other.state_hash() == store.state_hash());
  }
  Machine other;
  const Status newer = restore(other, {with(whole, 16, '\3')});
  REQUIRE_FALSE(newer);
  CHECK(newer.error().code == Code::newer);
  CHECK(newer.error().detail == "format 3, this version knows 2");
  std::string long_key = head + "item\x0c\x10\0\0\1\x10\1\0\0\0\0\0\0\0"s;
  long_key += std::string(4098, 'k');
  const Status too_long = restore(other, {long_key});
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().detail == "a key over its limit");
}

TEST_CASE("restore: a section that a later version wrote is refused by its tag") {
  Machine store;
  fill(store, 3);
  const std::string whole = join(snapshot(store, 1000), "");
  for (const std::string& body : {""s, "sessions of clients"s}) {
    std::string section = "sess";
    Writer(section).bytes(body);
    const std::string head = whole.substr(0, 36);
    Machine other;
    const Status status = restore(other, {head, section, whole.substr(36)});
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::newer);
    CHECK(status.error().detail == "a section \"sess\", which is not known here");
  }
}

TEST_CASE("restore: after a refused slice nothing is taken") {
  Machine store;
  fill(store, 3);
  const Slices slices = snapshot(store, 1);
  Machine other;
  other.begin_restore();
  CHECK_FALSE(other.restore_slice("\xff"));
  for (const std::string& slice : slices) CHECK_FALSE(other.restore_slice(slice));
  CHECK_FALSE(other.end_restore());
}

TEST_CASE("restore: mutated slices are refused or mean the same") {
  World world(4, 60);
  world.run(400);
  while (world.store.size() > 40) {
    const Write write{.op = Op::del, .key = world.model.map.rbegin()->first};
    ++world.index;
    REQUIRE(apply(world.store, world.index, write) == world.model.apply(world.index, write));
  }
  const Slices slices = snapshot(world.store, 500);
  Prng& prng = world.prng;
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    Slices bad = slices;
    for (std::uint64_t n = prng.between(1, 3); n > 0; --n) {
      std::string& slice = bad[prng.below(bad.size())];
      if (slice.empty()) continue;
      const std::size_t at = prng.below(slice.size());
      switch (prng.below(7)) {
        case 0:
          slice.resize(at);
          break;
        case 1:
          slice.erase(at, prng.between(1, 20));
          break;
        case 2:
          slice.insert(at, 1, static_cast<char>(prng.below(256)));
          break;
        case 3:
          std::swap(slice, bad[prng.below(bad.size())]);
          break;
        case 4:
          slice[at] = static_cast<char>(prng.below(5));
          break;
        default:
          slice[at] = static_cast<char>(static_cast<unsigned>(slice[at]) ^ (1U << prng.below(8)));
      }
    }
    Machine other;
    if (!restore(other, bad)) {
      ++refused;
      continue;
    }
    REQUIRE(other.state_hash() == world.store.state_hash());
    REQUIRE(other.rev() == world.store.rev());
    REQUIRE(contents(other) == world.model.map);
  }
  CHECK(refused > 15000);
}
