// SPDX-License-Identifier: AGPL-3.0-or-later
// Turns what a person typed into the JSON text that is stored.
//
// What parses as JSON is JSON, anything else a string. But what begins like an object, an array or
// a string, and does not parse, is an error: more often than not the shell has taken its quotes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/arguments.h"

namespace zatt::cli {

struct Value {
  std::string json;
  std::string wrong;  // a sentence, or "": all is well
};

using IsJson = std::function<std::optional<std::string>(const std::string&)>;  // why not

// `typed` on the command line; else it comes from a file.
Value to_value(std::string text, ValueIs is, bool typed, const IsJson& validator);

// An operand's text: itself, or what "-" and "@FILE" stand for, without one newline at its end.
struct Source {
  std::string text;
  bool typed = true;
  std::string wrong;
};
Source read_operand(const std::string& operand);

// `get -r`: the characters of a string, any other value as it is.
std::string bare(std::string_view json);

}  // namespace zatt::cli
