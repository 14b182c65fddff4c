// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/options.h"

#include <utility>

#include "base/text.h"

namespace zatt {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool begins_number(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(1);
  return !text.empty() && is_digit(text[0]);
}

}  // namespace

OptionParser::OptionParser(std::span<const std::string> arguments, std::vector<OptionName> table,
                           OptionRules rules)
    : arguments_(arguments), table_(std::move(table)), rules_(rules) {}

std::optional<OptionParser::Item> OptionParser::next() {
  if (!letters_.empty()) return take_letter();
  if (at_ == arguments_.size()) return std::nullopt;
  const std::string& argument = arguments_[at_++];
  if (ended_ || !is_option(argument)) return Item{Kind::operand, 0, argument, std::nullopt};
  if (argument == "--") {
    ended_ = true;
    return next();
  }
  if (argument[1] == '-') return take_long(argument);
  argument_ = argument;
  letters_ = argument_.substr(1);
  return take_letter();
}

std::string_view OptionParser::nearest_to(std::string_view unknown) const {
  std::vector<std::string_view> names;
  for (const OptionName& each : table_) names.push_back(each.name);
  return nearest(unknown, names);
}

bool OptionParser::is_option(std::string_view argument) const {
  if (argument.size() < 2 || argument[0] != '-') return false;
  return !rules_.numbers_are_operands || !begins_number(argument.substr(1));
}

OptionParser::Item OptionParser::take_long(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  std::string name(argument.substr(0, equals));
  std::optional<std::string> value;
  if (equals != std::string_view::npos) value = argument.substr(equals + 1);
  for (std::size_t row = 0; row < table_.size(); ++row)
    if (table_[row].name == name) return take_option(row, std::move(name), std::move(value));
  return {Kind::unknown, 0, std::move(name), std::nullopt};
}

OptionParser::Item OptionParser::take_letter() {
  const char letter = letters_[0];
  letters_.remove_prefix(1);
  for (std::size_t row = 0; row < table_.size(); ++row) {
    if (letter == 0 || table_[row].letter != letter) continue;
    std::optional<std::string> value;
    if (!table_[row].value.empty() && !letters_.empty()) value = std::exchange(letters_, {});
    return take_option(row, std::string("-") + letter, std::move(value));
  }
  letters_ = {};
  return {Kind::unknown, 0, std::string(argument_), std::nullopt};
}

OptionParser::Item OptionParser::take_option(std::size_t row, std::string shown,
                                             std::optional<std::string> value) {
  const std::string_view wanted = table_[row].value;
  const bool may_be_left_out = wanted.starts_with('[');
  Kind kind = Kind::option;
  if (wanted.empty() && value)
    kind = Kind::unexpected_value;
  else if (!wanted.empty() && !value && has_value_next(may_be_left_out))
    value = arguments_[at_++];
  else if (!wanted.empty() && !value && !may_be_left_out)
    kind = Kind::missing_value;
  return {kind, row, std::move(shown), std::move(value)};
}

bool OptionParser::has_value_next(bool must_be_number) const {
  if (at_ == arguments_.size()) return false;
  const std::string_view next = arguments_[at_];
  if (must_be_number) return begins_number(next);
  return rules_.values_may_be_options || next.size() <= 2 || !next.starts_with("--");
}

}  // namespace zatt
