// SPDX-License-Identifier: AGPL-3.0-or-later
// Strings and integers as JSON text.
//
// Only what JSON demands is escaped: quotes, backslashes and control characters. All else is
// written as the UTF-8 it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace zatt::json {

void append_string(std::string& out, std::string_view characters);
std::string string_text(std::string_view characters);
void append_int(std::string& out, std::int64_t number);
void append_uint(std::string& out, std::uint64_t number);

}  // namespace zatt::json
