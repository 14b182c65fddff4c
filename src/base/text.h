// SPDX-License-Identifier: AGPL-3.0-or-later
// Text for people and from people: lists, quotes, numbers, UTF-8, and what was probably meant.
//
// Pure functions, any thread. JSON's own quoting is json/writer.h's.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace zatt {

// "a, b, c": text_of is what makes a text of each element, a member pointer or a function.
template <class Range, class TextOf = std::identity>
std::string join(const Range& range, std::string_view separator = ", ", TextOf text_of = {}) {
  std::string text;
  bool first = true;
  for (const auto& each : range) {
    if (!first) text += separator;
    first = false;
    text += std::invoke(text_of, each);
  }
  return text;
}

// The whole text as an integer of this type: no spaces, no '+', no '-' where T has no sign.
// Nothing where it is none, or does not fit.
template <class T>
std::optional<T> to_number(std::string_view text, int base = 10) {
  T number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// Lower case: so many digits of the number, leading zeros included; two digits for each byte.
std::string hex(std::uint64_t number, int digits);
std::string hex(std::string_view bytes);

// In double quotes, shortened to 64 bytes where it is longer: what a message shows of what somebody
// sent.
std::string quote(std::string_view text);

// Control characters (C0, DEL and C1), which can move a terminal's cursor or end a line.
bool has_control_characters(std::string_view text);
std::string printable(std::string_view text);  // each of them replaced by a '?'
// The length of the control character at `at`: 1, or 2 for one of C1; 0 where it is none.
std::size_t control_length(std::string_view text, std::size_t at);

bool is_utf8(std::string_view text);
// The length of the character that a text which is not empty begins with: 1 to 4, 0 if it is none.
std::size_t utf8_length(std::string_view text);
// At most so many bytes of the text, cut between characters.
std::string_view utf8_prefix(std::string_view text, std::size_t most);
// Code points: about the columns that it takes.
std::size_t utf8_count(std::string_view text);

// The one of the known names that a person who mistyped it probably meant: one mistake (a letter
// too few, too many, another, or two swapped) for each three letters, or a beginning of it. Empty
// where none is that near.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);
// `; did you mean "value"?`, or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);
// A to Z in lower case.
std::string lowered(std::string_view text);

}  // namespace zatt
