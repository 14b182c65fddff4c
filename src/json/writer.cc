// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/writer.h"

#include <charconv>

#include "base/assert.h"
#include "base/text.h"

namespace zatt::json {
namespace {

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void append_escape(std::string& out, char c) {
  out.push_back('\\');
  switch (c) {
    case '\b':
      return out.push_back('b');
    case '\f':
      return out.push_back('f');
    case '\n':
      return out.push_back('n');
    case '\r':
      return out.push_back('r');
    case '\t':
      return out.push_back('t');
    case '"':
    case '\\':
      return out.push_back(c);
    default:
      break;
  }
  out.append("u00").append(hex(static_cast<unsigned char>(c), 2));
}

template <class T>
void append_number(std::string& out, T number) {
  char digits[20];  // -9223372036854775808 and 18446744073709551615
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  ZATT_ASSERT(error == std::errc());
  out.append(digits, static_cast<std::size_t>(end - digits));
}

}  // namespace

void append_string(std::string& out, std::string_view characters) {
  out.push_back('"');
  std::size_t plain = 0;  // from here on nothing needs an escape, up to i
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (!needs_escape(characters[i])) continue;
    out.append(characters.substr(plain, i - plain));
    append_escape(out, characters[i]);
    plain = i + 1;
  }
  out.append(characters.substr(plain));
  out.push_back('"');
}

std::string string_text(std::string_view characters) {
  std::string text;
  append_string(text, characters);
  return text;
}

void append_int(std::string& out, std::int64_t number) { append_number(out, number); }
void append_uint(std::string& out, std::uint64_t number) { append_number(out, number); }

}  // namespace zatt::json
