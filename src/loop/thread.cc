// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace zatt::loop {
namespace {

// The calling thread's, and so that of threads it makes; put back at the end.
class SignalMask {
 public:
  SignalMask() {
    sigset_t most;
    sigfillset(&most);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
      sigdelset(&most, own);
    pthread_sigmask(SIG_SETMASK, &most, &before_);
  }
  ~SignalMask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalMask(const SignalMask&) = delete;
  SignalMask& operator=(const SignalMask&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

std::thread quiet_thread(std::function<void()> body) {
  const SignalMask mask;
  return std::thread([run = std::move(body)]() noexcept { run(); });
}

}  // namespace zatt::loop
