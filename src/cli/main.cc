// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt: a cluster's keys and values, from a shell.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/complaints.h"
#include "cli/help.h"
#include "cli/verbs.h"
#include "zatt/zatt.h"

namespace zatt::cli {
namespace {

// A socket must not become standard output because that was closed.
void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) < 0) {
      // Output into this is an error, as into a closed one.
      if (open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR) < 0) _exit(Exit::refused);
    }
}

Exit run_verb(Work& work) {
  switch (work.arguments.verb) {
    case Verb::get:
      return run_get(work);
    case Verb::set:
      return run_set(work);
    case Verb::del:
      return run_del(work);
    case Verb::incr:
      return run_incr(work);
    case Verb::ls:
    case Verb::scan:
      return run_list(work);
    case Verb::count:
      return run_count(work);
    case Verb::dump:
      return run_export(work);
    case Verb::import:
      return run_import(work);
    case Verb::raw:
      return run_raw(work);
    case Verb::members:
      return run_members(work);
    case Verb::wait:
      return run_wait(work);
    case Verb::status:
      return run_status(work);
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
      return complain_usage(
          "no verb \"" + name + "\"" +
          (meant.empty() ? "; see zatt help" : "; did you mean " + std::string(meant) + "?"));
  }
  out.add(verb == nullptr ? help_text() : help_text(*verb));
  return Exit::done;
}

Exit run(Arguments arguments, Output& out, Interrupts& interrupts) {
  const char* const servers = std::getenv("ZATT_SERVERS");
  if (!arguments.servers && servers != nullptr && *servers != '\0') arguments.servers = servers;
  Work work{arguments, interrupts, out};
  const bool is_help = arguments.help || arguments.version || arguments.verb == Verb::help;
  return work.finish(is_help ? run_help(arguments, out) : run_verb(work));
}

}  // namespace
}  // namespace zatt::cli

int main(int argc, char** argv) {
  using namespace zatt::cli;
  open_standard_descriptors();
  auto [arguments, wrong] =
      parse_arguments(std::vector<std::string>(argv + (argc > 0), argv + argc));
  if (!wrong.empty()) return complain_usage(wrong);
  int code = Exit::done;
  int signal = 0;
  {
    Interrupts interrupts;
    Output out(STDOUT_FILENO, interrupts);
    code = run(std::move(arguments), out, interrupts);
    signal = interrupts.caught();
  }
  if (code == Exit::interrupted && signal != 0) Interrupts::die_of(signal);
  return code;
}
