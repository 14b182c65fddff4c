// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/question.h"

#include <poll.h>
#include <unistd.h>

#include <string>

namespace zatt::cli {

bool can_ask() { return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1; }

std::optional<bool> ask_person(std::string_view question, const Interrupts& interrupts) {
  if (write(STDERR_FILENO, question.data(), question.size()) < 0) return false;
  std::string answer;
  while (answer.find('\n') == std::string::npos) {
    pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {interrupts.fd(), POLLIN, 0}};
    const int ready = poll(polled, 2, -1);
    if (interrupts.caught() != 0) return std::nullopt;
    if (ready <= 0) continue;
    char buffer[256];
    const auto size = read(STDIN_FILENO, buffer, sizeof buffer);
    if (size <= 0) break;
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  const std::string first = answer.substr(0, answer.find('\n'));
  return first == "y" || first == "Y" || first == "yes" || first == "YES" || first == "Yes";
}

}  // namespace zatt::cli
