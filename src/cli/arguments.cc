// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/arguments.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "cli/text.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

constexpr std::string_view watch_seconds = "2";

bool is_option(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return false;
  const char next = argument[1];
  const bool number = (next >= '0' && next <= '9') || (next == '.' && argument.size() > 2 &&
                                                       argument[2] >= '0' && argument[2] <= '9');
  return !number;
}

std::string for_a_person(std::string_view argument) {
  return json::string_text(is_utf8(argument) ? argument : "?");
}

// One option: --timeout 2, --timeout=2, -t 2, -t2, -rt2.
class Parser {
 public:
  explicit Parser(std::span<const std::string> given) : given_(given) {}

  Parsed parse() {
    while (at_ < given_.size() && parsed_.wrong.empty()) take(given_[at_++]);
    if (parsed_.wrong.empty()) finish();
    return std::move(parsed_);
  }

 private:
  void take(const std::string& argument) {
    if (ended_ || !is_option(argument)) return take_operand(argument);
    if (argument == "--") {
      ended_ = true;
    } else if (argument[1] == '-') {
      take_long(argument);
    } else {
      take_letters(argument);
    }
  }

  void take_operand(const std::string& argument) {
    if (verb_ != nullptr) return parsed_.arguments.operands.push_back(argument);
    verb_ = find_verb(argument);
    if (verb_ != nullptr) return;
    const std::string_view meant = nearest_verb(argument);
    wrong("no verb " + for_a_person(argument) +
          (meant.empty() ? std::string("; see zatt help")
                         : "; did you mean " + std::string(meant) + "?"));
  }

  void take_long(std::string_view argument) {
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    std::optional<std::string> value;
    if (equals != std::string_view::npos) value = argument.substr(equals + 1);
    for (const OptionRow& row : option_rows())
      if (row.name == name) return take_option(row, std::string(name), std::move(value));
    std::vector<std::string_view> known;
    for (const OptionRow& row : option_rows())
      if (verb_ == nullptr || takes(*verb_, row.option)) known.push_back(row.name);
    unknown(name, nearest(name, known));
  }

  void take_letters(std::string_view argument) {
    for (std::size_t i = 1; i < argument.size() && parsed_.wrong.empty(); ++i) {
      const char letter = argument[i];
      const auto rows = option_rows();
      const auto row = std::find_if(rows.begin(), rows.end(), [letter](const OptionRow& each) {
        return each.letter == letter;
      });
      if (row == rows.end()) {
        // -json
        const std::string whole = "-" + std::string(argument);
        const bool one_dash = std::any_of(
            rows.begin(), rows.end(), [&whole](const auto& each) { return each.name == whole; });
        return unknown(i == 1 ? argument : argument.substr(0, i + 1),
                       one_dash ? std::string_view(whole) : std::string_view());
      }
      std::optional<std::string> value;
      if (!row->value.empty() && i + 1 < argument.size()) {
        value = argument.substr(i + 1);
        i = argument.size();
      }
      take_option(*row, std::string("-") + letter, std::move(value));
    }
  }

  void unknown(std::string_view name, std::string_view meant) {
    wrong("no option " + for_a_person(name) +
          (meant.empty() ? "; see zatt help" + of_verb() + "; a -- ends the options"
                         : "; did you mean " + std::string(meant) + "?"));
  }

  void take_option(const OptionRow& row, const std::string& shown,
                   std::optional<std::string> value) {
    if (row.value.empty() && value) return wrong(shown + " takes no value");
    const bool is_optional = row.value.substr(0, 1) == "[";
    if (!row.value.empty() && !value) {
      if (at_ == given_.size() && !is_optional)
        return wrong(shown + " needs " + std::string(row.value));
      if (!is_optional || (at_ < given_.size() && to_timeout_ms(given_[at_])))
        value = given_[at_++];
    }
    options_.push_back(&row);
    set(row, shown, value.value_or(is_optional ? std::string(watch_seconds) : std::string()));
  }

  void set(const OptionRow& row, const std::string& shown, const std::string& value) {
    Arguments& arguments = parsed_.arguments;
    switch (row.option) {
      case Option::servers:
        arguments.servers = value;
        break;
      case Option::timeout:
        return set_timeout(shown, value);
      case Option::json:
        arguments.json = true;
        break;
      case Option::help:
        arguments.help = true;
        break;
      case Option::version:
        arguments.version = true;
        break;
      case Option::raw:
        arguments.raw = true;
        break;
      case Option::stale:
        arguments.stale = true;
        break;
      case Option::limit:
        return set_limit(shown, value);
      case Option::prefix:
        arguments.prefix = value;
        break;
      case Option::yes:
        arguments.yes = true;
        break;
      case Option::keep_going:
        arguments.keep_going = true;
        break;
      case Option::watch:
        return set_watch(shown, value);
      case Option::as_json:
      case Option::string:
        return set_value_is(row.option == Option::string ? ValueIs::string : ValueIs::json);
      case Option::if_absent:
      case Option::if_exists:
      case Option::if_rev:
      case Option::if_value:
        return set_condition(row, value);
    }
  }

  void set_timeout(const std::string& shown, const std::string& value) {
    const auto ms = to_timeout_ms(value);
    if (!ms) return wrong(shown + " is a number of seconds, from 0.001 to 600");
    parsed_.arguments.timeout_ms = *ms;
    parsed_.arguments.timeout_given = true;
  }

  void set_watch(const std::string& shown, const std::string& value) {
    const auto ms = to_timeout_ms(value);
    if (!ms || *ms < 100) return wrong(shown + " is a number of seconds, from 0.1 to 600");
    parsed_.arguments.watch_ms = *ms;
  }

  void set_limit(const std::string& shown, const std::string& value) {
    const auto limit = to_number<std::uint64_t>(value);
    if (!limit || *limit == 0) return wrong(shown + " is a number, 1 or more");
    parsed_.arguments.limit = *limit;
  }

  void set_value_is(ValueIs what) {
    ValueIs& is = parsed_.arguments.value_is;
    if (is != ValueIs::guessed && is != what) return wrong("--as-json or --string, not both");
    is = what;
  }

  void set_condition(const OptionRow& row, const std::string& value) {
    Condition& condition = parsed_.arguments.condition;
    if (condition.kind != Option::help) return wrong("one condition at a time");
    condition.kind = row.option;
    if (row.option == Option::if_value) condition.value = value;
    if (row.option != Option::if_rev) return;
    const auto rev = to_number<std::uint64_t>(value);
    if (!rev) return wrong("--if-rev is a revision, a number; 0 means absent");
    condition.rev = *rev;
  }

  void finish() {
    Arguments& arguments = parsed_.arguments;
    if (arguments.version) return;
    if (verb_ == nullptr) {
      if (!arguments.help) finish_bare();
      return;
    }
    arguments.verb = verb_->verb;
    if (arguments.help) return;
    for (const OptionRow* const row : options_)
      if (!takes(*verb_, row->option))
        return wrong(std::string(verb_->name) + " takes no " + std::string(row->name) +
                     "; see zatt help" + of_verb());
    check_operands();
  }

  // Without a verb: what all verbs take may be given.
  void finish_bare() {
    parsed_.arguments.bare = true;
    for (const OptionRow* const row : options_)
      if (!takes(row_of(Verb::help), row->option)) return wrong("which verb? see zatt help");
  }

  void check_operands() {
    const Arguments& arguments = parsed_.arguments;
    const std::size_t count = arguments.operands.size();
    const std::string name(verb_->name);
    if (count < verb_->least)
      return wrong(name + " needs " + std::string(verb_->operands) + "; see zatt help" + of_verb());
    if (verb_->verb == Verb::del) check_del();
    if (verb_->verb == Verb::set && count % 2 != 0)
      return wrong("set takes pairs of KEY VALUE: " + for_a_person(arguments.operands[count - 1]) +
                   " has no value; a value with spaces wants quotes");
    if (verb_->verb == Verb::set && values_from_stdin(arguments.operands) > 1)
      return wrong("standard input can be the value of one key only: - stands for two here");
    if (count > verb_->most)
      return wrong(name + " takes " +
                   (verb_->most == 0 ? "no operands" : std::string(verb_->operands)) + ": " +
                   for_a_person(arguments.operands[verb_->most]) + " is one too many");
    for (std::size_t i = 0; i < count; ++i) {
      const std::string& operand = arguments.operands[i];
      const bool file = verb_->verb == Verb::import ||
                        (verb_->verb == Verb::set && i % 2 == 1 && operand.substr(0, 1) == "@");
      if (!file && !is_utf8(operand))
        return wrong("keys and values are UTF-8 text, and operand " + std::to_string(i + 1) +
                     " of " + name + " is none");
    }
    if (!is_utf8(arguments.condition.value)) return wrong("--if-value is not UTF-8 text");
    if (verb_->verb == Verb::incr && count == 2 && !to_integer(arguments.operands[1]))
      return wrong("BY is an integer of 64 bits, and " + for_a_person(arguments.operands[1]) +
                   " is none");
  }

  void check_del() {
    const Arguments& arguments = parsed_.arguments;
    if (!arguments.prefix) {
      if (arguments.operands.empty())
        return wrong("del needs KEY... or --prefix PREFIX; see zatt help del");
      if (arguments.yes) wrong("--yes goes with --prefix: del of single keys does not ask");
      return;
    }
    if (!arguments.operands.empty())
      return wrong("keys or --prefix, not both: " + for_a_person(arguments.operands[0]) +
                   " is one too many; a prefix with spaces wants quotes");
    if (arguments.condition.kind != Option::help) return wrong("--prefix takes no condition");
    if (!is_utf8(*arguments.prefix)) wrong("--prefix is not UTF-8 text");
  }

  static std::size_t values_from_stdin(const std::vector<std::string>& operands) {
    std::size_t found = 0;
    for (std::size_t i = 1; i < operands.size(); i += 2) found += operands[i] == "-" ? 1U : 0U;
    return found;
  }

  std::string of_verb() const {
    return verb_ == nullptr ? std::string() : " " + std::string(verb_->name);
  }
  void wrong(std::string sentence) {
    if (parsed_.wrong.empty()) parsed_.wrong = std::move(sentence);
  }

  const std::span<const std::string> given_;
  std::size_t at_ = 0;
  bool ended_ = false;
  const VerbRow* verb_ = nullptr;
  std::vector<const OptionRow*> options_;
  Parsed parsed_;
};

}  // namespace

Parsed parse_arguments(std::span<const std::string> given) { return Parser(given).parse(); }

}  // namespace zatt::cli
