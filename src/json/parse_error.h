// SPDX-License-Identifier: AGPL-3.0-or-later
// What is wrong with a text that is not JSON, and where: the sentence a person reads.
//
// simdjson says fast that a text is malformed, but not where. So a refused text is gone through a
// second time, slowly, byte by byte, to say it. This pass makes messages; it never takes a text
// that simdjson refused.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "json/value.h"

namespace zatt::json {

struct ParseError {
  std::size_t offset = 0;  // from 0
  std::string what;        // "a name in double quotes expected"
  bool unquoted = false;   // a text without its double quotes: a shell may have taken them
};

// "byte 2: a name in double quotes expected": for lines. Bytes count from 1.
std::string at_byte(const ParseError& fault);
// "3:14: a name ...": for files. Lines and characters count from 1.
std::string at_line(const ParseError& fault, std::string_view text);
std::string line_and_column(std::string_view text, std::size_t offset);

// One member of the object that a text is.
struct Field {
  std::string_view name;  // unescaped; borrowed for the call
  Value value;            // borrowed from the text
  std::size_t depth = 0;  // of the value: a scalar is 0, [] is 1
};
using OnField = std::function<void(const Field& field)>;

// Goes through a text that should be one object, nested at most max_depth deep, itself included.
// Calls on_field (where there is one) for each field that is whole and stands before the fault.
// A Fault without words: this pass finds nothing wrong.
ParseError diagnose(std::string_view text, std::size_t max_depth, const OnField& on_field);

}  // namespace zatt::json
