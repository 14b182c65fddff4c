// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/machine.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "tests/kv/model.h"

using namespace zatt;
using namespace zatt::kv;
using namespace zatt::kv::test;
using namespace std::string_literals;

namespace {

using Kind = Condition::Kind;

Write set(std::string key, std::string value) {
  return {.op = Op::set, .key = std::move(key), .value = std::move(value)};
}

}  // namespace

TEST_CASE("machine: set, get, delete") {
  Machine store;
  CHECK(store.rev() == 0);
  CHECK_FALSE(store.get("k"));
  CHECK(apply(store, 5, set("k", "[1]")) == Answer{.rev = 5});
  REQUIRE(store.get("k"));
  CHECK(store.get("k")->key == "k");
  CHECK(store.get("k")->value == "[1]");
  CHECK(store.get("k")->rev == 5);
  CHECK(apply(store, 7, set("k", "2")) == Answer{.rev = 7});
  CHECK(store.get("k")->value == "2");
  CHECK(store.rev() == 7);
  CHECK(store.size() == 1);
  CHECK(apply(store, 9, {.op = Op::del, .key = "k"}) == Answer{.found = true, .rev = 9});
  CHECK_FALSE(store.get("k"));
  CHECK(store.rev() == 9);
  CHECK(store.size() == 0);
}

TEST_CASE("machine: what changes nothing leaves revision and hash alone") {
  Machine store;
  apply(store, 3, set("k", "\"text\""));
  const std::uint64_t hash = store.state_hash();
  CHECK(apply(store, 4, {.op = Op::del, .key = "absent"}) == Answer{});
  CHECK(apply(store, 5, {.op = Op::del, .key = "k", .kind = Kind::rev, .rev = 2}) ==
        Answer{Outcome::condition_failed, true, 3, "\"text\""});
  CHECK(apply(store, 6, {.op = Op::incr, .key = "k"}) ==
        Answer{Outcome::not_an_integer, true, 3, "\"text\""});
  for (const std::string& bytes : {""s, "\0"s, "\1"s, set("k", "1").bytes() + "x"})
    CHECK(apply(store, 7, bytes) == Answer{.outcome = Outcome::malformed});
  CHECK(store.rev() == 3);
  CHECK(store.size() == 1);
  CHECK(store.state_hash() == hash);
  CHECK(store.get("k")->value == "\"text\"");
}

TEST_CASE("machine: conditions") {
  struct Row {
    const char* why = "";
    Write write;
    bool on_present = false, on_absent = false;  // does it hold
  };
  const Row rows[] = {
      {"exists", {.kind = Kind::exists, .exists = true}, true, false},
      {"does not exist", {.kind = Kind::exists, .exists = false}, false, true},
      {"its revision", {.kind = Kind::rev, .rev = 10}, true, false},
      {"another revision", {.kind = Kind::rev, .rev = 9}, false, false},
      {"revision 0 is absence", {.kind = Kind::rev, .rev = 0}, false, true},
      {"its text", {.kind = Kind::value, .operand = "1.0"}, true, false},
      {"another text of the same number", {.kind = Kind::value, .operand = "1"}, false, false},
      {"no text", {.kind = Kind::value, .operand = ""}, false, false},
  };
  for (const Row& row : rows)
    for (const Op op : {Op::set, Op::del})
      for (const bool present : {true, false}) {
        CAPTURE(row.why);
        CAPTURE(present);
        Machine store;
        if (present) apply(store, 10, set("k", "1.0"));
        Write write = row.write;
        write.op = op;
        write.key = "k";
        write.value = "2";
        const Answer answer = apply(store, 11, write);
        if (present ? row.on_present : row.on_absent) {
          CHECK(answer.outcome == Outcome::done);
          CHECK(store.get("k").has_value() == (op == Op::set));
        } else if (present) {
          CHECK(answer == Answer{Outcome::condition_failed, true, 10, "1.0"});
        } else {
          CHECK(answer == Answer{.outcome = Outcome::condition_failed});
        }
      }
}

TEST_CASE("machine: incr") {
  struct Row {
    const char* old;  // null: absent
    std::int64_t by;
    Outcome outcome;
    const char* now;
  };
  const Row rows[] = {
      {nullptr, 5, Outcome::done, "5"},
      {nullptr, INT64_MIN, Outcome::done, "-9223372036854775808"},
      {"0", -1, Outcome::done, "-1"},
      {"-0", 0, Outcome::done, "0"},
      {"-1", 1, Outcome::done, "0"},
      {"9223372036854775806", 1, Outcome::done, "9223372036854775807"},
      {"9223372036854775807", 1, Outcome::out_of_range, nullptr},
      {"-9223372036854775808", -1, Outcome::out_of_range, nullptr},
      {"-9223372036854775808", INT64_MAX, Outcome::done, "-1"},
      {"9223372036854775808", -1, Outcome::out_of_range, nullptr},
      {"123456789012345678901234567890", 0, Outcome::out_of_range, nullptr},
      {"1.0", 1, Outcome::not_an_integer, nullptr},
      {"1e3", 1, Outcome::not_an_integer, nullptr},
      {"\"1\"", 1, Outcome::not_an_integer, nullptr},
      {"null", 1, Outcome::not_an_integer, nullptr},
      {"[1]", 1, Outcome::not_an_integer, nullptr},
      {"true", 1, Outcome::not_an_integer, nullptr},
      {"", 1, Outcome::not_an_integer, nullptr},
      {"-", 1, Outcome::not_an_integer, nullptr},
      {"01", 1, Outcome::not_an_integer, nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.old);
    CAPTURE(row.by);
    Machine store;
    if (row.old != nullptr) apply(store, 1, set("n", row.old));
    const Answer answer = apply(store, 2, {.op = Op::incr, .key = "n", .by = row.by});
    CHECK(answer.outcome == row.outcome);
    if (row.outcome == Outcome::done) {
      CHECK(answer == Answer{.rev = 2, .value = row.now});
      CHECK(store.get("n")->value == row.now);
      CHECK(store.get("n")->rev == 2);
    } else {
      CHECK(answer == Answer{row.outcome, true, 1, row.old});
      CHECK(store.get("n")->value == row.old);
    }
  }
}

TEST_CASE("machine: does what the model does") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Prng prng(seed);
    Machine store(seed);
    Model model;
    const std::uint64_t variety = seed % 2 == 0 ? 50 : 4000;
    std::uint64_t index = 0;
    for (int step = 0; step < 12000; ++step) {
      index += prng.between(1, 3);
      const Write write = random_write(prng, model.map, variety);
      REQUIRE(apply(store, index, write) == model.apply(index, write));
      REQUIRE(store.size() == model.map.size());
      REQUIRE(store.rev() == model.rev);
      const std::string key = random_key(prng, variety);
      const auto it = model.map.find(key);
      const auto item = store.get(key);
      REQUIRE(item.has_value() == (it != model.map.end()));
      if (item) REQUIRE(item->value == it->second.value);
      if (step % 1000 == 999) REQUIRE(contents(store) == model.map);
    }
  }
}

TEST_CASE("machine: values up to a MiB") {
  Machine store;
  Model model;
  std::uint64_t index = 0;
  const std::size_t sizes[] = {0, 1, 900, 1000, 1010, 1020, 1024, 1100, 65535, 65536, 1 << 20};
  for (const std::size_t size : sizes)
    for (const unsigned key_size : {1U, 100U, 4095U, 4096U})
      for (const char letter :
           {'s', static_cast<char>('A' + size % 23)}) {  // one key for all sizes
        const Write write = set(std::string(key_size, letter), std::string(size, '1'));
        ++index;
        CHECK(apply(store, index, write) == model.apply(index, write));
      }
  CHECK(contents(store) == model.map);
  while (!model.map.empty()) {
    const Write write{.op = Op::del, .key = model.map.begin()->first};
    ++index;
    CHECK(apply(store, index, write) == model.apply(index, write));
  }
  CHECK(store.size() == 0);
  CHECK(store.memory_bytes() < Machine().memory_bytes() + 16384);
}

TEST_CASE("machine: scans begin and end where they should") {
  std::vector<std::string> words = {"",          "\0"s,  "\0\0"s,    "a",       "a\0"s, "a\xff",
                                    "a\xff\xff", "aa",   "ab",       "ab\0"s,   "abc",  "ab\xff",
                                    "b",         "\xff", "\xff\xff", "\xff\0"s, "zz"};
  Machine store;
  Model model;
  Prng prng(3);
  std::uint64_t index = 0;
  for (const std::string& word : words) {
    if (word == "ab" || word == "zz") continue;  // asked for, but not there
    const Write write = set(word, std::to_string(index));
    ++index;
    apply(store, index, write);
    model.apply(index, write);
  }
  for (int i = 0; i < 400; ++i) {  // several leaves of them
    const Write write = set("ab/" + std::to_string(i), "0");
    ++index;
    apply(store, index, write);
    model.apply(index, write);
    words.push_back(write.key);
  }
  for (const std::string& prefix : words) {
    std::vector<std::optional<std::string>> afters(words.begin(), words.end());
    afters.resize(40);
    afters.push_back(std::nullopt);
    std::uint64_t with_prefix = 0;
    for (const auto& [key, held] : model.map)
      if (key.starts_with(prefix)) ++with_prefix;
    CHECK(store.count(prefix) == with_prefix);
    for (const auto& after : afters) {
      std::vector<std::string> want;
      for (const auto& [key, held] : model.map)
        if (key.starts_with(prefix) && (!after || key > *after)) want.push_back(key);
      std::vector<std::string> got;
      for (Machine::Cursor c = store.scan(prefix, after); !c.at_end(); c.advance()) {
        got.emplace_back(c.item().key);
        REQUIRE(c.item().rev == model.map.at(got.back()).rev);
      }
      REQUIRE(got == want);
    }
  }
}

TEST_CASE("machine: the hash's seed decides nothing") {
  Machine a(1);
  Machine b(0xfeedfacecafebeef);
  Model model;
  Prng prng(8);
  for (std::uint64_t index = 1; index <= 20000; ++index) {
    const std::string bytes = random_write(prng, model.map, 2000).bytes();
    std::string reply_a;
    std::string reply_b;
    a.apply(Index{index}, 0, bytes, reply_a);
    b.apply(Index{index}, 0, bytes, reply_b);
    REQUIRE(reply_a == reply_b);
    REQUIRE(a.state_hash() == b.state_hash());
  }
  CHECK(contents(a) == contents(b));
  CHECK(a.count("shared/") == b.count("shared/"));
  a.begin_snapshot();
  b.begin_snapshot();
  for (bool more = true; more;) {
    std::string slice_a;
    std::string slice_b;
    more = a.next_slice(1000, slice_a);
    REQUIRE(b.next_slice(1000, slice_b) == more);
    REQUIRE(slice_a == slice_b);
  }
}

TEST_CASE("machine: the state's hash sees key, value and revision, and no order") {
  const auto hash = [](const std::vector<Write>& writes, std::uint64_t first) {
    Machine store;
    for (const Write& write : writes) apply(store, first++, write);
    return store.state_hash();
  };
  CHECK(hash({}, 1) == 0);
  CHECK(hash({set("a", "1")}, 1) != hash({set("b", "1")}, 1));
  CHECK(hash({set("a", "1")}, 1) != hash({set("a", "2")}, 1));
  CHECK(hash({set("a", "1")}, 1) != hash({set("a", "1")}, 2));
  CHECK(hash({set("a1", "1")}, 1) != hash({set("a", "11")}, 1));
  CHECK(hash({set("a", "1"), set("b", "2")}, 1) != hash({set("a", "2"), set("b", "1")}, 1));
  CHECK(hash({set("x", "0"), set("x", "1")}, 1) == hash({set("x", "1")}, 2));
  CHECK(hash({set("x", "0"), {.op = Op::del, .key = "x"}, set("y", "1")}, 1) ==
        hash({set("y", "1")}, 3));
}

TEST_CASE("machine: churn under random sizes does not grow it") {
  const std::size_t heap_before = mallinfo2().uordblks;
  Machine store;
  Prng prng(5);
  std::uint64_t index = 0;
  std::size_t text = 0;
  std::vector<std::size_t> sizes(3000, 0);
  std::size_t after_first = 0;
  for (int round = 0; round < 40; ++round) {
    // The sizes that are in fashion change from round to round.
    const std::uint64_t limit = prng.between(10, 1500);
    for (int i = 0; i < 6000; ++i) {
      const std::uint64_t k = prng.below(sizes.size());
      const std::string key = "key" + std::to_string(10000 + k);
      text -= sizes[k];
      sizes[k] = 0;
      ++index;
      if (prng.chance(1, 3)) {
        apply(store, index, {.op = Op::del, .key = key});
      } else {
        const std::string value(prng.below(limit), '1');
        apply(store, index, set(key, value));
        sizes[k] = key.size() + value.size();
        text += sizes[k];
      }
    }
    const std::size_t over = store.memory_bytes() - text;
    if (round == 0) after_first = over;
    // One page of each size class at most is not full.
    CHECK(over < 60 * store.size() + 129 * 16384);
    CHECK(over < after_first + 129 * 16384);
  }
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    ++index;
    apply(store, index, {.op = Op::del, .key = "key" + std::to_string(10000 + k)});
  }
  CHECK(store.size() == 0);
  CHECK(store.memory_bytes() < Machine().memory_bytes() + 16384);
  sizes = {};
  CHECK(mallinfo2().uordblks < heap_before + 65536);  // and the C library has it all back
}

TEST_CASE("machine: a key costs at most 37 bytes beyond its texts") {
  const std::string value = '"' + std::string(98, 'v') + '"';
  for (const bool in_order : {false, true}) {
    Machine store;
    Prng prng(6);
    const std::size_t heap_before = mallinfo2().uordblks;
    for (std::uint64_t n = 1; n <= 130000; ++n) {
      const std::uint64_t id = in_order ? n : prng.next();
      std::string key = "0000000000000000" + std::to_string(id);
      key = key.substr(key.size() - 16);
      apply(store, 1000000 + n, set(key, value));
      if (n % 10000 != 0 || n < 50000) continue;
      const std::size_t heap = mallinfo2().uordblks - heap_before;
      CAPTURE(n);
      REQUIRE(store.size() == n);
      CHECK(store.memory_bytes() <= n * (16 + 100 + 37));
      // And it tells the truth, as far as the C library can say (a sanitizer's cannot).
      if (heap > 0) {
        CHECK(heap < store.memory_bytes() * 102 / 100);
        CHECK(heap > store.memory_bytes() * 98 / 100);
      }
    }
  }
}
