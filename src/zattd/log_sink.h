// SPDX-License-Identifier: AGPL-3.0-or-later
// Where the log's lines go: through a bounded buffer to a thread that may wait for whoever reads.
//
// A pipe that nobody reads, a terminal that is stopped, a disk that hangs: each blocks a write, and
// O_NONBLOCK would be set for all who share the descriptor. So a thread of its own writes. What
// does not fit is dropped, counted, and said once there is room again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace zatt {

class LogSink {
 public:
  static constexpr std::size_t buffer_bytes = 64 * 1024;

  // Borrows the descriptor.
  explicit LogSink(int fd);
  // Flushes; what nobody takes in that time is left unsaid.
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // A whole line with its newline, from any thread. Never waits, never asks for memory.
  void write_line(std::string_view line) noexcept;

  // Until all is written, for at most so long. False: nobody reads.
  bool flush(std::uint64_t ms = 500) noexcept;

 private:
  struct Shared;  // outlives this where the thread hangs in a write
  static void run(Shared& shared) noexcept;

  std::shared_ptr<Shared> shared_;
};

}  // namespace zatt
