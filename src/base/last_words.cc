// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/last_words.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>

namespace zatt {
namespace {

constexpr int patience_ms = 500;

std::atomic<void (*)() noexcept> flush_first = nullptr;

// A pipe that poll() calls writable takes a line of this size whole.
void say(std::string_view text, int wait_ms) noexcept {
  pollfd out = {STDERR_FILENO, POLLOUT, 0};
  if (poll(&out, 1, wait_ms) != 1) return;
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

}  // namespace

void before_last_words(void (*flush)() noexcept) noexcept { flush_first = flush; }

void last_words(std::string_view text) noexcept {
  if (const auto flush = flush_first.exchange(nullptr); flush != nullptr) flush();
  say(text, patience_ms);
}

void say_at_once(std::string_view text) noexcept { say(text, 0); }

}  // namespace zatt
