// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/lines.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace zatt::cli {

bool LineCutter::next(Line& line) {
  for (;;) {
    if (begin_ > 0 && begin_ >= text_.size() / 2) {
      text_.erase(0, begin_);
      looked_ -= begin_;
      begin_ = 0;
    }
    const std::size_t newline = text_.find('\n', looked_);
    const bool found = newline != std::string::npos;
    looked_ = text_.size();
    const std::size_t size = (found ? newline : text_.size()) - begin_;
    const bool too_long = size > longest;
    if (!found && !too_long && (!ended_ || size == 0)) return false;
    line = {std::string_view(text_).substr(begin_, too_long ? 200 : size), too_long};
    if (!line.text.empty() && line.text.back() == '\r') line.text.remove_suffix(1);
    begin_ = found ? newline + 1 : text_.size();
    looked_ = begin_;
    const bool was_rest = skipping_;
    skipping_ = !found && !ended_;
    if (!was_rest) return true;
  }
}

std::string LineCutter::read_from(int fd) {
  std::array<char, 65'536> buffer{};
  const ssize_t size = read(fd, buffer.data(), buffer.size());
  if (size > 0) {
    bytes_read_ += static_cast<std::uint64_t>(size);
    add({buffer.data(), static_cast<std::size_t>(size)});
  } else if (size == 0) {
    end();
  } else if (errno != EINTR && errno != EAGAIN) {
    return "the input could not be read: " + std::string(std::strerror(errno));
  }
  return "";
}

Exit InputLoop::run() {
  for (;;) {
    take_lines();
    work_.out.write_some();
    if (work_.out.failed()) return work_.out.exit_code();
    const bool finished = stopped_ || cutter_.at_end();
    if (finished && work_.session.pending() == 0 && work_.out.waiting() == 0) return code_;
    const bool wants_input = !stopped_ && !cutter_.at_end() && handlers_.has_room();
    pollfd others[] = {{wants_input ? fd_ : -1, POLLIN, 0},
                       {work_.out.waiting() > 0 ? work_.out.fd() : -1, POLLOUT, 0}};
    const bool goes_on = work_.session.turn(others);
    if (!handlers_.after_turn()) stopped_ = true;
    if (!goes_on) return Exit::interrupted;
    if (wants_input && others[0].revents != 0) read_some();
  }
}

void InputLoop::take_lines() {
  LineCutter::Line line;
  while (!stopped_ && handlers_.has_room() && cutter_.next(line))
    if (!handlers_.take(++number_, line)) stopped_ = true;
}

void InputLoop::read_some() {
  why_ = cutter_.read_from(fd_);
  if (why_.empty()) return;
  code_ = Exit::wrong_usage;
  stopped_ = true;
}

}  // namespace zatt::cli
