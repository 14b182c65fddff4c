// SPDX-License-Identifier: AGPL-3.0-or-later
// What a command does to the key that it names: its condition, then set, delete or incr.
//
// Pure: a decision is a value, and nothing is changed before machine.cc carries it out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kv/command.h"
#include "kv/dictionary.h"
#include "kv/item.h"
#include "kv/reply.h"

namespace zatt::kv {

// What a key holds now. Borrowed from the dictionary until its next change.
struct Current {
  Ref ref = no_ref;
  Item item{};  // rev 0 where the key is absent

  bool exists() const { return ref != no_ref; }
};
Current look_up(const Dictionary& dictionary, std::string_view key);

// An empty condition always holds.
bool holds(const Condition& condition, const Current& current);

enum class Effect : std::uint8_t { none, put, erase };

struct Decision {
  Effect effect = Effect::none;  // on the command's key
  std::string_view value{};      // put: what it holds from now on
  Reply reply;
};

// `revision` is what a write gets, and `number` keeps the text of a sum for value and reply.
Decision decide(const Command& command, const Current& current, std::uint64_t revision,
                std::string& number);

}  // namespace zatt::kv
