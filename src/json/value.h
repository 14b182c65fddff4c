// SPDX-License-Identifier: AGPL-3.0-or-later
// JSON text that a Reader has taken, looked at piece by piece.
//
// zatt keeps values as the text they came in, so a value here is a piece of text and its type, and
// never a tree. Whoever needs more (a condition, the configuration file) walks into it; since the
// text is known to be whole, the walk only has to find where things end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zatt::json {

enum class Type : std::uint8_t { null, boolean, number, string, array, object };
std::string_view to_string(Type type);  // "an array", for messages

// Borrowed from the text that was read. No whitespace around it.
struct Value {
  std::string_view text;
  Type type = Type::null;
};

// A value by its first byte, which is enough where the text is known to be JSON.
Value value_of(std::string_view text);

// Each wants the type it speaks of; nothing where it is another.
std::optional<bool> as_bool(Value value);
// Integers written without fraction or exponent, within the type.
std::optional<std::int64_t> as_int64(Value value);
std::optional<std::uint64_t> as_uint64(Value value);

// A string's text, quotes and escapes included, as the characters it means; appended to `out`.
void unescape(std::string_view text, std::string& out);
std::string unescaped(std::string_view text);

// The value without whitespace between tokens: its own text where there was none, else `scratch`.
std::string_view compact(Value value, std::string& scratch);

// The members of an object or the elements of an array, in order, one a call.
class Iterator {
 public:
  explicit Iterator(Value container);

  struct Item {
    std::string_view name;  // the name's text with its quotes; empty in an array
    Value value;
  };
  std::optional<Item> next();

 private:
  void skip_space();
  std::string_view take_string();
  std::string_view take_value();

  std::string_view rest_;
  bool named_;
};

}  // namespace zatt::json
