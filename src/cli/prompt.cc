// SPDX-License-Identifier: AGPL-3.0-or-later
// A bare zatt at a terminal: commands as they are typed, until ^D.
//
// ^C ends what is under way, and no more than that.
#include <clocale>
#include <csignal>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/line_reader.h"
#include "cli/verbs.h"
#include "cli/words.h"

namespace zatt::cli {
namespace {

constexpr std::uint32_t most_keys = 200;
constexpr int completion_ms = 500;

bool begins_with(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

class Prompt {
 public:
  explicit Prompt(Context& context)
      : work_(context),
        reader_(context.session, context.out,
                [this](std::string_view before, std::string_view word) {
                  return complete(before, word);
                }) {}

  Exit run() {
    work_.interrupts.arm();
    work_.out.add("zatt " + std::string(zatt_version()) + ", servers " +
                  printable(*work_.arguments.servers) +
                  ". help says what there is, help VERB more; ^D ends it.\n");
    for (;;) {
      work_.out.flush();
      if (work_.out.failed()) return work_.out.exit_code();
      std::string line;
      const LineReader::Typed typed = reader_.read(line);
      if (typed == LineReader::Typed::end) break;
      if (typed == LineReader::Typed::line) {
        if (is_exit(line)) return Exit::done;
        run_line(work_, line, true);
      }
      const int signal = work_.interrupts.caught();
      if (signal != 0 && signal != SIGINT) return Exit::interrupted;
      work_.session.start_anew();
      work_.out.start_anew();
      if (signal != 0) work_.out.add("\n");  // after what the terminal shows as ^C
    }
    work_.out.add("\n");
    return work_.finish(Exit::done);
  }

 private:
  static bool is_exit(const std::string& line) {
    const std::vector<std::string> words = to_words(line).words;
    return words.size() == 1 && (words[0] == "exit" || words[0] == "quit");
  }

  std::vector<std::string> complete(std::string_view before, std::string_view word) {
    std::vector<std::string> words = to_words(before).words;
    if (!words.empty() && words[0] == "zatt") words.erase(words.begin());
    std::vector<std::string> found;
    const VerbRow* const verb = words.empty() ? nullptr : find_verb(words[0]);
    if (begins_with(word, "-"))
      add_options(verb, word, found);
    else if (words.empty() || (verb != nullptr && verb->verb == Verb::help))
      add_verbs(word, found);
    else if (verb != nullptr && wants_key(*verb, words))
      add_keys(word, found);
    return found;
  }

  static void add_verbs(std::string_view word, std::vector<std::string>& found) {
    for (const VerbRow& row : verb_rows())
      if (row.verb != Verb::lines && row.verb != Verb::raw && begins_with(row.name, word))
        found.emplace_back(row.name);
  }

  static void add_options(const VerbRow* verb, std::string_view word,
                          std::vector<std::string>& found) {
    for (const OptionRow& row : option_rows())
      if (verb != nullptr && takes(*verb, row.option) && row.option != Option::servers &&
          row.option != Option::version && begins_with(row.name, word))
        found.emplace_back(row.name);
  }

  static bool wants_key(const VerbRow& verb, const std::vector<std::string>& words) {
    std::size_t operands = 0;
    for (std::size_t i = 1; i < words.size(); ++i) operands += begins_with(words[i], "-") ? 0U : 1U;
    switch (verb.verb) {
      case Verb::get:
      case Verb::del:
        return true;
      case Verb::set:
        return operands % 2 == 0;
      case Verb::incr:
      case Verb::ls:
      case Verb::scan:
      case Verb::count:
      case Verb::export_keys:
        return operands == 0;
      default:
        return false;
    }
  }

  // Those that a server says at once, and that are typed as they are.
  void add_keys(std::string_view word, std::vector<std::string>& found) {
    const std::string prefix(word);
    zatt_request request = zatt_request_of(ZATT_OP_SCAN);
    request.prefix = bytes_of(prefix);
    request.limit = most_keys;
    request.keys_only = 1;
    request.stale = 1;
    request.timeout_ms = completion_ms;
    const Reply reply = work_.session.ask(request);
    if (reply.error != ZATT_OK) return;
    for (const Item& item : reply.items)
      if (to_typed(item.key) == item.key && !has_control_characters(item.key))
        found.push_back(item.key);
    // What those shown have in common is not what all have: it must not be inserted.
    if (reply.more) found.push_back(prefix);
  }

  Context& work_;
  LineReader reader_;
};

}  // namespace

Exit run_prompt(Context& context) {
  std::setlocale(LC_CTYPE, "");
  return Prompt(context).run();
}

}  // namespace zatt::cli
