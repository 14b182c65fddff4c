// SPDX-License-Identifier: AGPL-3.0-or-later
// A command line, taken apart by a table of options: what zattd and zatt have in common.
//
// --name VALUE, --name=VALUE, -n VALUE, -nVALUE; letters without a value may be written together
// (-rk). A "--" ends the options. Which of what is found is an error, and in which words it is
// told, is the caller's to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zatt {

struct OptionName {
  std::string_view name;   // "--port"
  char letter = 0;         // 0: none
  std::string_view value;  // what it is, for messages; "": there is none; "[...]": a number that
                           // may be left out
};

struct OptionRules {
  bool numbers_are_operands = false;   // -1 and -.5 are never options
  bool values_may_be_options = false;  // in `--a --b`, "--b" is the value of --a
};

class OptionParser {
 public:
  enum class Kind : std::uint8_t { option, operand, unknown, missing_value, unexpected_value };
  struct Item {
    Kind kind;
    std::size_t row = 0;               // the option's, in the table
    std::string text;                  // an operand; else the option as it was written
    std::optional<std::string> value;  // of an option
  };

  // Borrows the arguments, without the program's name.
  OptionParser(std::span<const std::string> arguments, std::vector<OptionName> table,
               OptionRules rules);

  // The next option or operand, in their order. Nothing at the end.
  std::optional<Item> next();
  // Of an unknown option the one that was probably meant, or "".
  std::string_view nearest_to(std::string_view unknown) const;

 private:
  bool is_option(std::string_view argument) const;
  Item take_long(std::string_view argument);
  Item take_letter();
  // The option of this row, with its value: the one given or what the next argument is.
  Item take_option(std::size_t row, std::string shown, std::optional<std::string> value);
  bool has_value_next(bool must_be_number) const;

  const std::span<const std::string> arguments_;
  const std::vector<OptionName> table_;
  const OptionRules rules_;
  std::size_t at_ = 0;
  bool ended_ = false;         // by a "--"
  std::string_view argument_;  // the one with letters
  std::string_view letters_;   // those of it that are left
};

}  // namespace zatt
