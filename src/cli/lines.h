// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads lines from a descriptor and sends them through a session; everything on the way is bounded.
//
// What raw and import have in common: they read only as fast as they are answered, and write what
// they have to say as soon as there is somebody to take it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "cli/commands.h"

namespace zatt::cli {

// Cuts a stream at its newlines. A last line may do without one.
class LineCutter {
 public:
  static constexpr std::size_t longest = (16 << 20) + 4'096;  // more than any server takes

  void add(std::string_view bytes) { text_.append(bytes); }
  void end() { ended_ = true; }
  // Adds what a descriptor has now, some 64 KiB at most, or ends. A sentence where it could not be
  // read; else "".
  std::string read_from(int fd);

  struct Line {
    std::string_view text;  // until the next call; without newline and '\r'
    bool too_long = false;  // then only its beginning
  };
  // Nothing: there is no whole line yet.
  bool next(Line& line);
  bool at_end() const { return ended_ && begin_ == text_.size(); }
  bool has_ended() const { return ended_; }  // there may be lines left
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  std::string text_;
  std::size_t begin_ = 0;
  std::size_t looked_ = 0;  // no newline before it
  bool skipping_ = false;   // the rest of one that was too long
  bool ended_ = false;
  std::uint64_t bytes_read_ = 0;  // by read_from()
};

class InputLoop {
 public:
  struct Handlers {
    // What to do with a line, the first being number 1. False: no more are read.
    std::function<bool(std::uint64_t number, const LineCutter::Line& line)> take;
    // Whether another may be taken now.
    std::function<bool()> has_room;
    // After each turn. False: no more are read.
    std::function<bool()> after_turn;
  };
  InputLoop(Context& context, int fd, Handlers handlers)
      : work_(context), fd_(fd), handlers_(std::move(handlers)) {}

  // Until the input has ended, all is answered and the output written. Done, or what ends it.
  Exit run();
  std::uint64_t bytes_read() const { return cutter_.bytes_read(); }
  const std::string& why() const { return why_; }  // the input failed, or ""

 private:
  void take_lines();
  void read_some();

  Context& work_;
  const int fd_;
  const Handlers handlers_;
  LineCutter cutter_;
  std::uint64_t number_ = 0;
  bool stopped_ = false;
  Exit code_ = Exit::done;
  std::string why_;
};

}  // namespace zatt::cli
