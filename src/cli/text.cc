// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/text.h"

#include <algorithm>

#include "base/text.h"
#include "json/writer.h"

namespace zatt::cli {
std::string shown_key(std::string_view key) {
  if (!key.empty() && key[0] != '"' && !has_control_characters(key)) return std::string(key);
  // JSON leaves DEL and C1 as they are.
  const std::string text = json::string_text(key);
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t length = control_length(text, at);
    if (length == 2) ++at;
    if (length == 0)
      out += text[at];
    else
      out += "\\u" + hex(static_cast<unsigned char>(text[at]), 4);
  }
  return out;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  const std::size_t own = utf8_count(text);
  if (own < width) out.append(width - own, ' ');
  return out;
}

std::string keys_text(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " key" : " keys");
}

std::optional<int> to_timeout_ms(std::string_view seconds) {
  const std::size_t point = seconds.find('.');
  const std::string_view whole = seconds.substr(0, point);
  std::string_view part;
  if (point != std::string_view::npos) part = seconds.substr(point + 1);
  if (whole.empty() && part.empty()) return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!std::all_of(whole.begin(), whole.end(), is_digit) ||
      !std::all_of(part.begin(), part.end(), is_digit) || whole.size() > 6)
    return std::nullopt;
  long ms = 0;
  for (const char c : whole) ms = 10 * ms + (c - '0');
  for (std::size_t i = 0; i < 3; ++i) ms = 10 * ms + (i < part.size() ? part[i] - '0' : 0);
  if (ms < 1 || ms > 600'000) return std::nullopt;
  return static_cast<int>(ms);
}

std::optional<long long> to_integer(std::string_view text) {
  if (text.substr(0, 1) == "+") {
    text.remove_prefix(1);
    if (text.substr(0, 1) == "-") return std::nullopt;
  }
  return to_number<long long>(text);
}

}  // namespace zatt::cli
