// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>

#include "cli/clock.h"

namespace zatt::cli {
namespace {

constexpr std::uint64_t columns = 30;
constexpr std::int64_t every_ms = 100;

void draw(const std::string& text) {
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) {
    // it was only for looking at
  }
}

}  // namespace

std::string bar(std::string_view what, std::uint64_t part, std::uint64_t whole,
                std::uint64_t keys) {
  std::string line;
  if (whole > 0) {
    const std::uint64_t done = std::min(part, whole);
    const auto share = static_cast<double>(done) / static_cast<double>(whole);
    const auto full = static_cast<std::size_t>(share * static_cast<double>(columns));
    const std::string percent = std::to_string(static_cast<int>(share * 100));
    line = "[" + std::string(full, '#') + std::string(columns - full, '.') + "] " +
           std::string(3 - std::min<std::size_t>(3, percent.size()), ' ') + percent + "%  ";
  }
  return line + std::string(what) + " " + std::to_string(keys);
}

Progress::Progress(std::string_view what, bool wanted)
    : what_(what), shown_(wanted && isatty(STDERR_FILENO) == 1) {}

void Progress::show(std::uint64_t part, std::uint64_t keys) {
  if (!shown_ || now_ms() < next_ms_) return;
  next_ms_ = now_ms() + every_ms;
  drawn_ = true;
  draw("\r" + bar(what_, part, whole_, keys) + "\x1b[K");
}

void Progress::end() {
  if (drawn_) draw("\r\x1b[K");
  drawn_ = false;
}

}  // namespace zatt::cli
