// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/interrupts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

namespace zatt::cli {
namespace {

constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP};

// A handler has nothing else to reach.
volatile sig_atomic_t caught_signal = 0;
volatile sig_atomic_t wake_fd = -1;

extern "C" void on_signal(int signal) {
  const int saved = errno;
  caught_signal = signal;
  if (wake_fd >= 0 && write(wake_fd, "", 1) < 0) {
    // full: there is something to read already
  }
  errno = saved;
}

void catch_signals() {
  for (const int signal : signals) {
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler == SIG_IGN) continue;
    struct sigaction ours {};
    ours.sa_handler = on_signal;
    ours.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &ours, nullptr);
  }
}

}  // namespace

void Interrupts::arm() {
  if (fd() >= 0 || pipe2(pipe_, O_CLOEXEC | O_NONBLOCK) != 0) return;
  wake_fd = pipe_[1];
  catch_signals();
}

void Interrupts::forget() {
  char bytes[16];
  while (fd() >= 0 && read(fd(), bytes, sizeof bytes) > 0) {
  }
  caught_signal = 0;
  if (fd() >= 0) catch_signals();
}

Interrupts::~Interrupts() {
  wake_fd = -1;
  for (const int fd : pipe_)
    if (fd >= 0) close(fd);
}

int Interrupts::caught() const { return caught_signal; }

void Interrupts::exit_by_signal(int signal) {
  ::signal(signal, SIG_DFL);
  raise(signal);
  _exit(128 + signal);
}

}  // namespace zatt::cli
