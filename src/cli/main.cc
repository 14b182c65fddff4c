// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt: a cluster's keys and values, from a shell.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/errors.h"

namespace zatt::cli {
namespace {

// A socket must not become standard output because that was closed.
void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) < 0) {
      // To read this, or to write into it, is an error, as with a closed one.
      const int mode = fd == 0 ? O_WRONLY : fd == 1 ? O_RDONLY : O_RDWR;
      if (open("/dev/null", mode) < 0) _exit(Exit::refused);
    }
}

constexpr const char* usual_servers = "127.0.0.1:5254";

bool is_at_terminal() { return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1; }

Exit run(Arguments arguments, Output& out, Interrupts& interrupts) {
  const char* const servers = std::getenv("ZATT_SERVERS");
  if (!arguments.servers && servers != nullptr && *servers != '\0') arguments.servers = servers;
  if (!arguments.servers) arguments.servers = usual_servers;
  // `wait` is for servers that are yet to come.
  const bool whole_timeout = arguments.timeout_given || arguments.verb == Verb::wait;
  Session session({*arguments.servers, arguments.timeout_ms, whole_timeout}, interrupts);
  Context context{arguments, interrupts, out, session};
  if (!arguments.bare || arguments.version) return context.finish(run_command(context));
  if (!is_at_terminal()) return print_usage_error("which verb? see zatt help");
  return run_prompt(context);
}

}  // namespace
}  // namespace zatt::cli

int main(int argc, char** argv) {
  using namespace zatt::cli;
  open_standard_descriptors();
  auto [arguments, wrong] =
      parse_arguments(std::vector<std::string>(argv + (argc > 0), argv + argc));
  if (!wrong.empty()) return print_usage_error(wrong);
  int code = Exit::done;
  int signal = 0;
  {
    Interrupts interrupts;
    Output out(STDOUT_FILENO, interrupts);
    code = run(std::move(arguments), out, interrupts);
    signal = interrupts.caught();
  }
  if (code == Exit::interrupted && signal != 0) Interrupts::exit_by_signal(signal);
  return code;
}
