// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/command.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/prng.h"

using namespace zatt;
using namespace zatt::kv;
using namespace std::string_view_literals;

namespace {

std::string bytes_of(const Command& command) {
  std::string out;
  encode(command, out);
  return out;
}

// One of each op under each kind of condition.
std::vector<Command> all_shapes() {
  std::vector<Command> commands;
  const Condition conditions[] = {
      {},
      {.kind = Condition::Kind::exists, .exists = false},
      {.kind = Condition::Kind::exists, .exists = true},
      {.kind = Condition::Kind::rev, .rev = 0x0102030405060708},
      {.kind = Condition::Kind::value, .value = "[1,null]"},
      {.kind = Condition::Kind::value, .value = ""},
  };
  for (const Condition& condition : conditions) {
    commands.push_back({.op = Op::set, .key = "key", .value = "\"v\"", .condition = condition});
    commands.push_back({.op = Op::del, .key = "\0\xff"sv, .condition = condition});
    commands.push_back({.op = Op::incr, .key = "", .by = -2, .condition = condition});
  }
  return commands;
}

void check_equal(const Command& a, const Command& b) {
  CHECK(a.op == b.op);
  CHECK(a.key == b.key);
  CHECK(a.value == b.value);
  CHECK(a.by == b.by);
  CHECK(a.condition.kind == b.condition.kind);
  CHECK(a.condition.exists == b.condition.exists);
  CHECK(a.condition.rev == b.condition.rev);
  CHECK(a.condition.value == b.condition.value);
}

}  // namespace

TEST_CASE("command: the bytes are the documented ones") {
  CHECK(bytes_of({.op = Op::set, .key = "ab", .value = "10"}) ==
        "\1\1\0\2\0ab\2\0\0\0"
        "10"sv);
  CHECK(bytes_of({.op = Op::del,
                  .key = "k",
                  .condition = {.kind = Condition::Kind::exists, .exists = true}}) ==
        "\1\2\1\1\0k\1"sv);
  CHECK(bytes_of({.op = Op::incr,
                  .key = "",
                  .by = -1,
                  .condition = {.kind = Condition::Kind::rev, .rev = 258}}) ==
        "\1\3\2\0\0\2\1\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"sv);
  CHECK(bytes_of({.op = Op::del,
                  .key = "k",
                  .condition = {.kind = Condition::Kind::value, .value = "7"}}) ==
        "\1\2\3\1\0k\1\0\0\0"
        "7"sv);
}

TEST_CASE("command: decode gives back what encode took") {
  for (const Command& command : all_shapes()) {
    const std::string bytes = bytes_of(command);
    const auto back = decode_command(bytes);
    REQUIRE(back);
    check_equal(*back, command);
  }
  const std::string key(max_key_bytes, 'k');
  const std::string value(1 << 20, '1');
  const std::string bytes = bytes_of({.op = Op::set, .key = key, .value = value});
  REQUIRE(decode_command(bytes));
  CHECK(decode_command(bytes)->key == key);
  CHECK(decode_command(bytes)->value == value);
  for (const std::int64_t by : {std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::max(), std::int64_t{0}}) {
    const std::string incr = bytes_of({.op = Op::incr, .key = "n", .by = by});
    REQUIRE(decode_command(incr));
    CHECK(decode_command(incr)->by == by);
  }
}

TEST_CASE("command: every byte is accounted for") {
  for (const Command& command : all_shapes()) {
    const std::string bytes = bytes_of(command);
    for (std::size_t n = 0; n < bytes.size(); ++n)
      CHECK_FALSE(decode_command(std::string(bytes, 0, n)));
    CHECK_FALSE(decode_command(bytes + '\0'));
    for (const int version : {0, 2, 255}) {
      std::string bad = bytes;
      bad[0] = static_cast<char>(version);
      CHECK_FALSE(decode_command(bad));
    }
    for (const int op : {0, 4, 255}) {
      std::string bad = bytes;
      bad[1] = static_cast<char>(op);
      CHECK_FALSE(decode_command(bad));
    }
    for (const int kind : {4, 255}) {
      std::string bad = bytes;
      bad[2] = static_cast<char>(kind);
      CHECK_FALSE(decode_command(bad));
    }
  }
  CHECK_FALSE(decode_command("\1\2\1\1\0k\2"sv));  // exists is 0 or 1
}

TEST_CASE("command: a key over the limit is refused") {
  std::string bytes = bytes_of({.op = Op::del, .key = std::string(max_key_bytes, 'k')});
  REQUIRE(decode_command(bytes));
  bytes[3] = 1;  // 4097
  bytes += 'k';
  CHECK_FALSE(decode_command(bytes));
}

TEST_CASE("command: whatever decodes encodes to the same bytes") {
  Prng prng(1);
  const std::vector<Command> shapes = all_shapes();
  int taken = 0;
  for (int round = 0; round < 100000; ++round) {
    std::string bytes = bytes_of(shapes[prng.below(shapes.size())]);
    for (std::uint64_t n = prng.between(1, 3); n > 0; --n) {
      const std::size_t at = prng.below(bytes.size());
      bytes[at] = static_cast<char>(prng.chance(1, 2) ? prng.below(6) : prng.below(256));
    }
    const auto command = decode_command(bytes);
    if (!command) continue;
    ++taken;
    REQUIRE(bytes_of(*command) == bytes);
  }
  CHECK(taken > 1000);
}
