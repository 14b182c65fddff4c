// SPDX-License-Identifier: AGPL-3.0-or-later
// Text as people type and read it at a terminal: keys, columns, seconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zatt::cli {

// A key for a list: itself, or, where that would mislead (empty, control characters, a quote in
// front), as a JSON string.
std::string shown_key(std::string_view key);

std::string padded(std::string_view text, std::size_t width);  // with spaces, to so many columns

std::string keys_text(std::uint64_t count);  // "1 key", "2 keys"

// "1.5" seconds; from one millisecond to ten minutes.
std::optional<int> to_timeout_ms(std::string_view seconds);
std::optional<long long> to_integer(std::string_view text);  // with a sign, perhaps a '+'

}  // namespace zatt::cli
