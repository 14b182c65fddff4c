// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/output.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace zatt::cli {
namespace {

// PIPE_BUF: what a pipe that is writable takes whole.
constexpr std::size_t piece_bytes = 4'096;
constexpr std::size_t file_piece_bytes = 1 << 20;

}  // namespace

Output::Output(int fd, const Interrupts& interrupts)
    : fd_(fd), interrupts_(interrupts), terminal_(isatty(fd) == 1) {
  struct stat about {};
  regular_ = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

bool Output::flush() {
  while (!failed() && waiting() > 0) {
    if (!regular_ && !wait()) break;
    write_piece();
  }
  return !failed();
}

void Output::write_some() {
  while (!failed() && waiting() > 0) {
    pollfd polled = {fd_, POLLOUT, 0};
    if (!regular_ && poll(&polled, 1, 0) <= 0) return;
    write_piece();
  }
}

bool Output::wait() {
  pollfd polled[] = {{fd_, POLLOUT, 0}, {interrupts_.fd(), POLLIN, 0}};
  if (poll(polled, 2, -1) < 0 && errno != EINTR) return true;  // the write will say why
  if (interrupts_.caught() != 0) code_ = Exit::interrupted;
  return !failed();
}

void Output::start_anew() {
  if (code_ != Exit::interrupted) return;
  code_ = Exit::done;
  text_.clear();
  begin_ = 0;
}

void Output::write_piece() {
  const std::size_t size = std::min(waiting(), regular_ ? file_piece_bytes : piece_bytes);
  const ssize_t written = write(fd_, text_.data() + begin_, size);
  if (written < 0) {
    if (errno == EINTR || errno == EAGAIN) return;
    code_ = errno == EPIPE ? Exit::closed_pipe : Exit::output_lost;
    if (errno != EPIPE) why_ = "the output could not be written: " + std::string(strerror(errno));
    return;
  }
  begin_ += static_cast<std::size_t>(written);
  if (waiting() == 0 || begin_ >= file_piece_bytes) {
    text_.erase(0, begin_);
    begin_ = 0;
  }
}

}  // namespace zatt::cli
