// SPDX-License-Identifier: AGPL-3.0-or-later
// The store as one would write it without a care for speed, to hold the real one against.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/prng.h"
#include "kv/command.h"
#include "kv/machine.h"
#include "kv/reply.h"

namespace zatt::kv::test {

struct Held {
  std::string value;
  std::uint64_t rev = 0;
  friend bool operator==(const Held&, const Held&) = default;
};
using Map = std::map<std::string, Held, std::less<>>;

// A command that owns its texts.
struct Write {
  Op op = Op::set;
  std::string key{};
  std::string value{};
  std::int64_t by = 1;
  Condition::Kind kind = Condition::Kind::none;
  bool exists = false;
  std::uint64_t rev = 0;
  std::string operand{};

  std::string bytes() const {
    std::string out;
    encode(Command{.op = op,
                   .key = key,
                   .value = value,
                   .by = by,
                   .condition = {.kind = kind, .exists = exists, .rev = rev, .value = operand}},
           out);
    return out;
  }
};

struct Answer {
  Outcome outcome = Outcome::done;
  bool found = false;
  std::uint64_t rev = 0;
  std::string value{};
  friend bool operator==(const Answer&, const Answer&) = default;
};

inline Answer apply(Machine& store, std::uint64_t index, const std::string& bytes) {
  std::string reply;
  store.apply(Index{index}, 0, bytes, reply);
  const std::optional<Reply> decoded = decode_reply(reply);
  ZATT_ASSERT(decoded);
  return {decoded->outcome, decoded->found, decoded->rev, std::string(decoded->value)};
}

inline Answer apply(Machine& store, std::uint64_t index, const Write& write) {
  return apply(store, index, write.bytes());
}

struct Model {
  Map map;
  std::uint64_t rev = 0;

  bool holds(const Write& w, const Held* held) const {
    if (w.kind == Condition::Kind::exists) return w.exists == (held != nullptr);
    if (w.kind == Condition::Kind::rev) return w.rev == (held != nullptr ? held->rev : 0);
    if (w.kind == Condition::Kind::value) return held != nullptr && held->value == w.operand;
    return true;
  }

  Answer apply(std::uint64_t index, const Write& w) {
    const auto it = map.find(w.key);
    const Held* held = it == map.end() ? nullptr : &it->second;
    const auto refuse = [&](Outcome outcome) {
      return held != nullptr ? Answer{outcome, true, held->rev, held->value} : Answer{outcome};
    };
    if (!holds(w, held)) return refuse(Outcome::condition_failed);
    if (w.op == Op::del) {
      if (held == nullptr) return {};
      map.erase(it);
      rev = index;
      return {.found = true, .rev = index};
    }
    std::string value = w.value;
    if (w.op == Op::incr) {
      // The generator makes no integer beyond 64 bits but by incr.
      const std::string old = held != nullptr ? held->value : "0";
      if (old.find_first_not_of("-0123456789") != std::string::npos)
        return refuse(Outcome::not_an_integer);
      std::int64_t sum = 0;
      if (__builtin_add_overflow(std::int64_t{std::stoll(old)}, w.by, &sum))
        return refuse(Outcome::out_of_range);
      value = std::to_string(sum);
    }
    map[w.key] = {value, index};
    rev = index;
    return {.rev = index, .value = w.op == Op::incr ? value : ""};
  }
};

// Keys that meet often and are hard on an order: empty, long, zero bytes, 0xff, shared prefixes.
inline std::string random_key(Prng& prng, std::uint64_t variety) {
  const std::uint64_t shape = prng.below(10);
  std::string key;
  if (shape == 0) {
    for (std::uint64_t n = prng.below(5); n > 0; --n) key += "\x00\x01za\xff"[prng.below(5)];
    return key;
  }
  if (shape == 1) key.assign(prng.chance(1, 2) ? max_key_bytes - 3 : 300, 'p');
  if (shape >= 2 && shape < 6) key = "shared/prefix/";
  const std::uint64_t n = prng.below(variety);
  key += std::to_string(n);
  return key.substr(0, max_key_bytes);
}

inline std::string random_value(Prng& prng) {
  const std::uint64_t shape = prng.below(100);
  if (shape < 15) return std::to_string(static_cast<std::int64_t>(prng.next()) >> prng.below(64));
  if (shape < 16) return prng.chance(1, 2) ? "9223372036854775807" : "-9223372036854775808";
  const std::uint64_t size = shape < 80   ? prng.below(200)
                             : shape < 97 ? prng.below(3000)
                                          : prng.below(40000);
  return '"' + std::string(size, static_cast<char>('a' + prng.below(26))) + '"';
}

inline Write random_write(Prng& prng, const Map& map, std::uint64_t variety) {
  Write w;
  const std::uint64_t op = prng.below(10);
  w.op = op < 6 ? Op::set : op < 9 ? Op::del : Op::incr;
  w.key = random_key(prng, variety);
  if (w.op == Op::set) w.value = random_value(prng);
  if (w.op == Op::incr)
    w.by = prng.chance(1, 4) ? static_cast<std::int64_t>(prng.next()) : prng.chance(1, 2) ? 1 : -7;
  if (!prng.chance(1, 3)) return w;
  const auto it = map.find(w.key);
  w.kind = static_cast<Condition::Kind>(prng.between(1, 3));
  w.exists = prng.chance(1, 2);
  if (it != map.end() && prng.chance(2, 3)) {
    w.rev = it->second.rev;
    w.operand = it->second.value;
  }
  return w;
}

// The whole store by its cursor.
inline Map contents(const Machine& store) {
  Map map;
  std::string last;
  for (Machine::Cursor c = store.scan("", std::nullopt); !c.at_end(); c.advance()) {
    const Item item = c.item();
    ZATT_ASSERT(map.empty() || last < item.key);
    last = item.key;
    map[last] = {std::string(item.value), item.rev};
  }
  return map;
}

}  // namespace zatt::kv::test
