// SPDX-License-Identifier: AGPL-3.0-or-later
// The event loop: a libuv loop of our own, or one that a host program lends.
//
// Everything else in loop/ belongs to a Loop and must be gone before it. libuv closes handles
// asynchronously, so a loop of our own turns until the last one is closed; a borrowed one is left
// to its owner, who must let it turn once more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct uv_loop_s;  // uv.h's uv_loop_t, without uv.h

namespace zatt::loop {

// Monotonic, read now: never the loop's cached time.
std::uint64_t now_us() noexcept;

// What a positive errno, or a positive UV_E* of a name look-up, means.
std::string error_text(int sys);

class Loop {
 public:
  Loop();
  // The same; an error where no descriptor is left for it.
  static Result<std::unique_ptr<Loop>> make();
  explicit Loop(uv_loop_s* borrowed);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();        // until stop(), or nothing is left to wait for
  void run_once();   // one turn, waiting for something to happen
  void run_ready();  // one turn without waiting
  void stop() noexcept;

  // Turns until nothing is open or under way any more: false when max_ms were not enough. Only a
  // name look-up can take that long, and nothing can end one.
  bool drain(std::uint64_t max_ms);

  uv_loop_s* uv() noexcept { return uv_; }

  // Whether the part of this turn under way, input or what follows it, has taken so long that the
  // rest is for the next.
  bool turn_is_over() const noexcept;

  // All streams read into this one buffer, one after the other: an idle connection needs none.
  static constexpr std::size_t read_buffer_bytes = 64 << 10;
  static constexpr std::size_t read_slack_bytes = 64;  // readable after what was read
  char* read_buffer() noexcept { return read_buffer_.get(); }
  // Streams that read within turns take at most so much at once, but for those that read freely.
  void limit_reads(std::size_t bytes) noexcept { read_bytes_ = bytes; }
  std::size_t read_bytes() const noexcept { return read_bytes_; }

 private:
  explicit Loop(std::unique_ptr<uv_loop_s> own);

  std::unique_ptr<uv_loop_s> own_;
  uv_loop_s* uv_;
  std::unique_ptr<char[]> read_buffer_;
  std::size_t read_bytes_ = read_buffer_bytes;
};

}  // namespace zatt::loop
