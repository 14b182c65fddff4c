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

std::string for_a_person(std::string_view argument) {
  return json::string_text(is_utf8(argument) ? argument : "?");
}

class Parser {
 public:
  explicit Parser(std::span<const std::string> given)
      : items_(given, {option_rows().begin(), option_rows().end()},
               {.numbers_are_operands = true, .values_may_be_options = true}) {}

  Parsed parse() {
    while (parsed_.wrong.empty()) {
      const auto item = items_.next();
      if (!item) break;
      take(*item);
    }
    if (parsed_.wrong.empty()) finish();
    return std::move(parsed_);
  }

 private:
  void take(const OptionParser::Item& item) {
    using Kind = OptionParser::Kind;
    if (item.kind == Kind::operand) return take_operand(item.text);
    if (item.kind == Kind::unknown) return unknown(item.text);
    const OptionRow& row = option_rows()[item.row];
    if (item.kind == Kind::unexpected_value) return wrong(item.text + " takes no value");
    if (item.kind == Kind::missing_value)
      return wrong(item.text + " needs " + std::string(row.value));
    options_.push_back(&row);
    const bool left_out = !row.value.empty() && !item.value;
    set(row, item.text, item.value.value_or(std::string(left_out ? watch_seconds : "")));
  }

  void take_operand(const std::string& argument) {
    if (verb_ != nullptr) return parsed_.arguments.operands.push_back(argument);
    verb_ = find_verb(argument);
    if (verb_ != nullptr) return;
    const std::string_view meant = nearest_verb(argument);
    wrong("unknown verb " + for_a_person(argument) +
          (meant.empty() ? std::string("; see zatt help")
                         : "; did you mean " + std::string(meant) + "?"));
  }

  void unknown(std::string_view name) {
    std::vector<std::string_view> known;
    for (const OptionRow& row : option_rows())
      if (verb_ == nullptr || takes(*verb_, row.option)) known.push_back(row.name);
    const std::string meant(nearest(name, known));
    wrong("unknown option " + for_a_person(name) +
          (meant.empty() ? "; see zatt help" + of_verb() + "; a -- ends the options"
                         : "; did you mean " + meant + "?"));
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
        return wrong("operand " + std::to_string(i + 1) + " of " + name + " is not UTF-8 text");
    }
    if (!is_utf8(arguments.condition.value)) return wrong("--if-value is not UTF-8 text");
    if (verb_->verb == Verb::incr && count == 2 && !to_integer(arguments.operands[1]))
      return wrong("BY must be a 64-bit integer, not " + for_a_person(arguments.operands[1]));
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

  OptionParser items_;
  const VerbRow* verb_ = nullptr;
  std::vector<const OptionRow*> options_;
  Parsed parsed_;
};

}  // namespace

Parsed parse_arguments(std::span<const std::string> given) { return Parser(given).parse(); }

}  // namespace zatt::cli
