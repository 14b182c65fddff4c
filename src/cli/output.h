// SPDX-License-Identifier: AGPL-3.0-or-later
// Standard output, whose failures count: a full disk is an error, a closed pipe the end.
//
// Nothing is written to it that could block where ^C would not be seen.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/exit_codes.h"
#include "cli/interrupts.h"

namespace zatt::cli {

class Output {
 public:
  Output(int fd, const Interrupts& interrupts);

  void add(std::string_view text) { text_ += text; }
  // All that was added. False: it could not, and exit_code() says what to end with.
  bool flush();
  // As much as goes without waiting.
  void write_some();

  int fd() const { return fd_; }
  bool is_terminal() const { return terminal_; }
  std::size_t waiting() const { return text_.size() - begin_; }
  bool failed() const { return code_ != Exit::done; }
  Exit exit_code() const { return code_; }
  // After ^C at a prompt: what was waiting is dropped, and more may come.
  void start_anew();
  const std::string& why() const { return why_; }  // it failed; "": nobody needs to be told

 private:
  bool wait();
  void write_piece();

  const int fd_;
  const Interrupts& interrupts_;
  const bool terminal_;
  bool regular_ = false;  // a file: it never blocks for long
  std::string text_;
  std::size_t begin_ = 0;  // what is before it is written
  Exit code_ = Exit::done;
  std::string why_;
};

}  // namespace zatt::cli
