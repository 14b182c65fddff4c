// SPDX-License-Identifier: AGPL-3.0-or-later
// A write as the log keeps it: the body of a command entry of the machine.
//
// These bytes are made once, by the node that read the request, and are what frames carry, what
// the log's records hold and what Machine::apply reads. Little-endian:
//
//   version u8 = 1 | op u8 | condition u8 | key length u16 | key | the condition's operand
//   | the op's operand
//
//   operand of the condition: none 0 has none | exists 1: u8, 0 or 1 | rev 2: u64
//                             | value 3: length u32, text
//   operand of the op:        set 1: length u32, text | del 2 has none | incr 3: by, i64
//
// One command has one encoding: what is not of this form to the last byte is no command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zatt::kv {

// The numbers are in files and are never reused.
enum class Op : std::uint8_t { set = 1, del = 2, incr = 3 };

struct Condition {
  enum class Kind : std::uint8_t { none = 0, exists = 1, rev = 2, value = 3 };
  Kind kind = Kind::none;
  bool exists = false;       // Kind::exists
  std::uint64_t rev = 0;     // Kind::rev; 0 means absent
  std::string_view value{};  // Kind::value: JSON text without whitespace between tokens
};

struct Command {
  Op op = Op::set;
  std::string_view key{};    // unescaped UTF-8
  std::string_view value{};  // set: JSON text without whitespace between tokens
  std::int64_t by = 1;       // incr
  Condition condition{};
};

// A later form has another: bytes that begin so are no command of this one.
inline constexpr std::uint8_t command_version = 1;
inline constexpr std::size_t max_key_bytes = 4096;

// Appends to `out`. Only the fields that op and condition use count; the key is within its limit.
void encode(const Command& command, std::string& out);

// The views are borrowed from `bytes`. Nothing where the bytes are no command.
std::optional<Command> decode_command(std::string_view bytes);

}  // namespace zatt::kv
