// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/text.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace zatt::cli {
namespace {

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Of the character that begins here, 1 to 4; 0: it is none.
std::size_t length_at(std::string_view text, std::size_t at) {
  const unsigned first = byte_at(text, at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte_at(text, at + i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte_at(text, at + 1);
  const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool too_high = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return too_long || too_high ? 0 : length;
}

// C0, DEL, and U+0080 to U+009F, which are two bytes.
bool is_control_at(std::string_view text, std::size_t at) {
  const unsigned first = byte_at(text, at);
  if (first < 0x20 || first == 0x7f) return true;
  return first == 0xc2 && at + 1 < text.size() && byte_at(text, at + 1) < 0xa0;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view named = "\bb\ff\nn\rr\tt\"\"\\\\";
  out += '\\';
  for (std::size_t i = 0; i < named.size(); i += 2) {
    if (named[i] != c) continue;
    out += named[i + 1];
    return;
  }
  const auto code = static_cast<unsigned char>(c);
  out += "u00";
  out += "0123456789abcdef"[code >> 4];
  out += "0123456789abcdef"[code & 0xf];
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = length_at(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool has_control_characters(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at)
    if (is_control_at(text, at)) return true;
  return false;
}

std::string quoted(std::string_view characters) {
  std::string out = "\"";
  for (const char c : characters) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\')
      append_escape(out, c);
    else
      out += c;
  }
  return out + '"';
}

std::string shown_key(std::string_view key) {
  if (!key.empty() && key[0] != '"' && !has_control_characters(key)) return std::string(key);
  // JSON leaves DEL and C1 as they are.
  const std::string text = quoted(key);
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_control_at(text, at)) {
      out += text[at];
      continue;
    }
    const unsigned code = byte_at(text, at) == 0xc2 ? byte_at(text, ++at) : byte_at(text, at);
    out += "\\u00";
    out += "0123456789abcdef"[code >> 4];
    out += "0123456789abcdef"[code & 0xf];
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_control_at(text, at)) {
      out += text[at];
      continue;
    }
    out += '?';
    if (byte_at(text, at) == 0xc2) ++at;
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  const std::size_t own = width_of(text);
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

std::optional<unsigned long long> to_number(std::string_view text) {
  unsigned long long number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

std::optional<long long> to_integer(std::string_view text) {
  if (text.substr(0, 1) == "+") {
    text.remove_prefix(1);
    if (text.substr(0, 1) == "-") return std::nullopt;
  }
  long long number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end) return std::nullopt;
  return number;
}

// Letters changed, left out, added, or swapped with their neighbour.
std::size_t mistakes(std::string_view a, std::string_view b) {
  if (a.size() > 64) return a.size();  // no misspelt name
  const std::size_t columns = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * columns);
  const auto cell = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return table[i * columns + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) cell(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cell(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = cell(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      std::size_t best = std::min({changed, cell(i - 1, j) + 1, cell(i, j - 1) + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = std::min(best, cell(i - 2, j - 2) + 1);
      cell(i, j) = best;
    }
  }
  return cell(a.size(), b.size());
}

}  // namespace zatt::cli
