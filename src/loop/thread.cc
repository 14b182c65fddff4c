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

bool has_threads(int count) noexcept {
  if (count == 0) return true;
  const SignalMask mask;
  pthread_t thread{};
  std::pair<int, bool> rest{count - 1, false};
  const auto body = [](void* with) noexcept -> void* {
    auto& [left, all] = *static_cast<std::pair<int, bool>*>(with);
    all = has_threads(left);
    return nullptr;
  };
  if (pthread_create(&thread, nullptr, body, &rest) != 0) return false;
  pthread_join(thread, nullptr);
  return rest.second;
}

std::thread quiet_thread(std::function<void()> body) {
  const SignalMask mask;
  return std::thread([run = std::move(body)]() noexcept { run(); });
}

}  // namespace zatt::loop
