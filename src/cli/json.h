// SPDX-License-Identifier: AGPL-3.0-or-later
// The outside of JSON: an object's fields, an array's elements, a string's characters.
//
// For what servers answer and what `import` reads. Of a value only its extent is found here;
// whether it is JSON all through is judged where it is sent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zatt::cli {

struct Field {
  std::string name;       // its characters
  std::string_view text;  // of its value, within the text given
};

// Nothing: it is no object, or something is behind it.
std::optional<std::vector<Field>> fields_of(std::string_view object);
std::optional<std::vector<std::string_view>> elements_of(std::string_view array);
// The characters of a JSON string: no escapes left.
std::optional<std::string> characters_of(std::string_view string);

// The value's text, or "".
std::string_view text_of(const std::vector<Field>& fields, std::string_view name);

}  // namespace zatt::cli
