// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/operations.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "base/text.h"

namespace zatt::kv {

namespace {

Decision refuse(Outcome outcome, const Current& current) {
  return {.reply = {.outcome = outcome,
                    .found = current.exists(),
                    .rev = current.item.rev,
                    .value = current.item.value}};
}

// JSON's integers: an optional minus, then 0 or digits without a leading 0. So -0 is one, of value
// 0, and 1.0 and 1e3 are none.
bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Decision erase(const Current& current, std::uint64_t revision) {
  if (!current.exists()) return {};
  return {.effect = Effect::erase, .reply = {.found = true, .rev = revision}};
}

Decision increment(std::int64_t by, const Current& current, std::uint64_t revision,
                   std::string& number) {
  const std::string_view old = current.exists() ? current.item.value : "0";
  if (!is_integer(old)) return refuse(Outcome::not_an_integer, current);
  const std::optional<std::int64_t> from = to_number<std::int64_t>(old);
  std::int64_t sum = 0;
  if (!from || __builtin_add_overflow(*from, by, &sum))
    return refuse(Outcome::out_of_range, current);
  number = std::to_string(sum);
  return {.effect = Effect::put, .value = number, .reply = {.rev = revision, .value = number}};
}

}  // namespace

Current look_up(const Dictionary& dictionary, std::string_view key) {
  Current current{.ref = dictionary.find(key)};
  if (current.exists()) current.item = dictionary.item(current.ref);
  return current;
}

bool holds(const Condition& condition, const Current& current) {
  switch (condition.kind) {
    case Condition::Kind::none:
      return true;
    case Condition::Kind::exists:
      return condition.exists == current.exists();
    case Condition::Kind::rev:
      return condition.rev == current.item.rev;
    case Condition::Kind::value:
      return current.exists() && condition.value == current.item.value;
  }
  ZATT_ASSERT(false);
}

Decision decide(const Command& command, const Current& current, std::uint64_t revision,
                std::string& number) {
  if (!holds(command.condition, current)) return refuse(Outcome::condition_failed, current);
  switch (command.op) {
    case Op::set:
      return {.effect = Effect::put, .value = command.value, .reply = {.rev = revision}};
    case Op::del:
      return erase(current, revision);
    case Op::incr:
      return increment(command.by, current, revision, number);
  }
  ZATT_ASSERT(false);
}

}  // namespace zatt::kv
