// SPDX-License-Identifier: AGPL-3.0-or-later
// Catches ^C and its like while something is under way.
//
// A write that was sent cannot be called off: whoever presses ^C then is told so. So the
// signal only makes a descriptor readable, and whoever waits looks at it. The second one ends the
// process at once.
#pragma once

namespace zatt::cli {

class Interrupts {
 public:
  // One a process.
  Interrupts() = default;
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // From now on; until then a signal does what it does by itself. One that was ignored stays so.
  void arm();

  // None was caught; the next one is.
  void forget();

  int fd() const { return pipe_[0]; }  // readable once there was one; -1: not armed
  int caught() const;                  // the signal, or 0

  // The process ends as that signal would have ended it.
  [[noreturn]] static void exit_by_signal(int signal);

 private:
  int pipe_[2] = {-1, -1};
};

}  // namespace zatt::cli
