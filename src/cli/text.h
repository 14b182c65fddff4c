// SPDX-License-Identifier: AGPL-3.0-or-later
// Text as people type and read it: UTF-8, JSON strings, columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zatt::cli {

bool is_utf8(std::string_view text);

// Also DEL and the C1 set: what can move a terminal's cursor, or end a line.
bool has_control_characters(std::string_view text);

// A JSON string of these characters, with as few escapes as JSON allows: all our clients write
// strings like that, so that a value compares equal whoever wrote it.
std::string quoted(std::string_view characters);

// A key for a list: itself, or, where that would mislead (empty, control characters, a quote in
// front), as a JSON string.
std::string shown_key(std::string_view key);

// Somebody else's sentence on one line of a terminal: control characters are '?'.
std::string one_line(std::string_view text);

// Code points: about the columns it takes.
std::size_t width_of(std::string_view text);
std::string padded(std::string_view text, std::size_t width);

std::string keys_text(std::uint64_t count);  // "1 key", "2 keys"

// "1.5" seconds; from one millisecond to ten minutes.
std::optional<int> to_timeout_ms(std::string_view seconds);
std::optional<unsigned long long> to_number(std::string_view text);
std::optional<long long> to_integer(std::string_view text);  // with a sign, perhaps a '+'

// The name of `known` that was probably meant, or "".
template <class Names>
std::string_view nearest(std::string_view name, const Names& known);
std::size_t mistakes(std::string_view a, std::string_view b);

template <class Names>
std::string_view nearest(std::string_view name, const Names& known) {
  std::string_view best;
  std::size_t fewest = name.size() / 3 + 2;
  for (const std::string_view each : known) {
    const std::size_t found =
        name.size() >= 2 && each.substr(0, name.size()) == name ? 1 : mistakes(name, each);
    if (found >= fewest || found >= each.size()) continue;
    best = each;
    fewest = found;
  }
  return best;
}

}  // namespace zatt::cli
