// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/dispatch.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cli/errors.h"
#include "cli/help.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/words.h"
#include "json/writer.h"
#include "zatt/zatt.h"

namespace zatt::cli {
namespace {

Exit run_verb(Context& context) {
  switch (context.arguments.verb) {
    case Verb::get:
      return run_get(context);
    case Verb::set:
      return run_set(context);
    case Verb::del:
      return run_del(context);
    case Verb::incr:
      return run_incr(context);
    case Verb::ls:
    case Verb::scan:
      return run_list(context);
    case Verb::count:
      return run_count(context);
    case Verb::export_keys:
      return run_export(context);
    case Verb::import:
      return run_import(context);
    case Verb::raw:
      return run_raw(context);
    case Verb::members:
      return run_members(context);
    case Verb::wait:
      return run_wait(context);
    case Verb::status:
      return run_status(context);
    case Verb::lines:
      return run_lines(context);
    case Verb::help:
      break;
  }
  return Exit::wrong_usage;
}

Exit run_help(const Arguments& arguments, Output& out) {
  if (arguments.version) {
    out.add(std::string("zatt ") + zatt_version() + "\n");
    return Exit::done;
  }
  const VerbRow* verb = arguments.verb == Verb::help ? nullptr : &row_of(arguments.verb);
  if (arguments.verb == Verb::help && !arguments.operands.empty()) {
    const std::string& name = arguments.operands[0];
    verb = find_verb(name);
    const std::string_view meant = nearest_verb(name);
    if (verb == nullptr)
      return print_usage_error(
          "unknown verb \"" + name + "\"" +
          (meant.empty() ? "; see zatt help" : "; did you mean " + std::string(meant) + "?"));
  }
  out.add(verb == nullptr ? help_text() : help_text(*verb));
  return Exit::done;
}

// What stands in a line has the input that the line came from: no verb may read on there.
std::string what_reads_input(const Arguments& arguments) {
  const auto& operands = arguments.operands;
  const bool imports = arguments.verb == Verb::import && (operands.empty() || operands[0] == "-");
  bool reads_value = false;
  if (arguments.verb == Verb::set)
    for (std::size_t i = 1; i < operands.size(); i += 2) reads_value |= operands[i] == "-";
  if (arguments.verb == Verb::raw || arguments.verb == Verb::lines)
    return std::string(row_of(arguments.verb).name) +
           " reads standard input, and so do these lines";
  if (imports) return "import needs a FILE here: standard input has these lines";
  if (reads_value)
    return "a value of - is standard input, which has these lines; @FILE reads a file";
  return "";
}

// In a shell the exit code says it.
std::string what_no_means(const Arguments& arguments) {
  const bool several = arguments.operands.size() > 1;
  if (arguments.verb == Verb::status) return "status: degraded";
  if (arguments.prefix) return "no key begins with " + json::string_text(*arguments.prefix);
  if (arguments.verb == Verb::get || arguments.verb == Verb::del)
    return several ? "not all of these keys were there"
                   : "there is no key " + shown_key(arguments.operands[0]);
  return "no";
}

// What was said before the lines goes for each of them, unless it says it itself.
void inherit(const Arguments& outer, Arguments& inner) {
  inner.servers = outer.servers;
  inner.json = inner.json || outer.json;
  if (inner.timeout_given) return;
  inner.timeout_ms = outer.timeout_ms;
  inner.timeout_given = outer.timeout_given;
}

}  // namespace

Exit run_command(Context& context) {
  const Arguments& arguments = context.arguments;
  const bool is_help = arguments.help || arguments.version || arguments.verb == Verb::help;
  return is_help ? run_help(arguments, context.out) : run_verb(context);
}

Exit run_line(Context& outer, std::string_view line, bool asks) {
  Words words = to_words(line);
  if (!words.wrong.empty()) return print_usage_error(words.wrong);
  if (!words.words.empty() && words.words[0] == "zatt") words.words.erase(words.words.begin());
  if (words.words.empty()) return Exit::done;
  auto [arguments, wrong] = parse_arguments(words.words);
  if (wrong.empty() && arguments.bare && !arguments.help && !arguments.version)
    wrong = "which verb? help says which there are";
  if (wrong.empty() && arguments.servers) wrong = "--servers is said once, to zatt itself";
  if (wrong.empty() && !arguments.help) wrong = what_reads_input(arguments);
  if (!wrong.empty()) return print_usage_error(wrong);
  inherit(outer.arguments, arguments);
  outer.session.set_timeout(arguments.timeout_ms);
  Context context{arguments, outer.interrupts, outer.out, outer.session, asks, false};
  const std::size_t printed = errors_printed();
  const Exit code = context.finish(run_command(context));
  if (code == Exit::no && errors_printed() == printed) print_error(what_no_means(arguments));
  return code;
}

}  // namespace zatt::cli
