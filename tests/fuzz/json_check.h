// SPDX-License-Identifier: AGPL-3.0-or-later
// Whether a text that zatt keeps as JSON is JSON.
#pragma once

#include <string>
#include <string_view>

#include "json/reader.h"
#include "json/value.h"
#include "tests/fuzz/input.h"

namespace zatt::fuzz {

inline bool is_json_value(std::string_view text) {
  const Padded line("{\"v\":" + std::string(text) + "}", '9');
  json::Reader reader;
  std::size_t fields = 0;
  const auto fault =
      reader.read(line.text(), 200, [&](const json::Field& field) { fields += field.name == "v"; });
  return !fault && fields == 1;
}

// The same text without whitespace between its tokens.
inline bool is_compact(std::string_view text) {
  std::string scratch;
  return json::compact(json::value_of(text), scratch) == text;
}

}  // namespace zatt::fuzz
