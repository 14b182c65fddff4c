// SPDX-License-Identifier: AGPL-3.0-or-later
// "-": commands from standard input, a line each, one after the other.
//
// The first that fails ends it, as `sh -e` does, and is named by its number; what a reader of the
// output waits for is written before the next line is read.
#include <unistd.h>

#include <cstdint>

#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/errors.h"
#include "cli/lines.h"

namespace zatt::cli {
namespace {

class Script {
 public:
  explicit Script(Context& context) : work_(context) {}

  Exit run() {
    for (;;) {
      LineCutter::Line line;
      while (cutter_.next(line))
        if (const Exit code = run_one(line); is_the_end(code)) return end();
      if (cutter_.at_end()) return first_;
      if (!wait_for_input()) return Exit::interrupted;
      if (const std::string why = cutter_.read_from(STDIN_FILENO); !why.empty()) {
        print_error(why);
        return first_ == Exit::done ? Exit::wrong_usage : first_;
      }
    }
  }

 private:
  Exit run_one(const LineCutter::Line& line) {
    const Place place("line " + std::to_string(++number_));
    Exit code = Exit::wrong_usage;
    if (line.too_long)
      print_error("it is longer than any server takes");
    else
      code = run_line(work_, line.text, false);
    if (first_ == Exit::done) first_ = code;
    return code;
  }

  bool is_the_end(Exit code) const {
    if (code == Exit::done) return false;
    const bool lost = work_.session.was_interrupted() || work_.out.failed();
    return lost || !work_.arguments.keep_going;
  }

  Exit end() {
    const bool lost = work_.session.was_interrupted() || work_.out.failed();
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (!lost && !cutter_.has_ended() && poll(&input, 1, 0) == 1)
      cutter_.read_from(STDIN_FILENO);  // its end, mostly
    if (!lost && !cutter_.at_end())
      print_error("the lines after line " + std::to_string(number_) +
                  " were not run; --keep-going runs them all");
    return first_;
  }

  // False after ^C.
  bool wait_for_input() {
    pollfd input[] = {{STDIN_FILENO, POLLIN, 0}};
    while (input[0].revents == 0)
      if (!work_.session.turn(input)) return false;
    return true;
  }

  Context& work_;
  LineCutter cutter_;
  std::uint64_t number_ = 0;
  Exit first_ = Exit::done;  // of what failed
};

}  // namespace

Exit run_lines(Context& context) { return Script(context).run(); }

}  // namespace zatt::cli
