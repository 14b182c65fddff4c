// SPDX-License-Identifier: AGPL-3.0-or-later
// Takes a text if it is JSON, wholly, and hands out its fields.
//
// What is stored is replicated, printed and read for years, so it is checked to the last token
// when it comes in: every value is walked, every string unescaped, every number held against the
// grammar (a value that is merely skipped would be believed), and the text must end where its
// object ends. The text is read where it lies, and handed out in pieces of it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "json/parse_error.h"

namespace zatt::json {

// Bytes that must be readable behind a text; what they hold does not matter.
inline constexpr std::size_t slack = 64;

class Reader {
 public:
  Reader();
  ~Reader();

  // Reads a text that is one object, nested at most max_depth deep, itself included. on_field is
  // called for each of its fields, in order, repeated ones too; where a fault follows, some or all
  // of the fields before it have been handed out.
  std::optional<ParseError> read(std::string_view text, std::size_t max_depth,
                                 const OnField& on_field);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::json
