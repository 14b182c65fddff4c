// SPDX-License-Identifier: AGPL-3.0-or-later
// Closes connections in a way that lets the last bytes arrive.
//
// Closing a socket with unread input makes the kernel send a reset, and a reset may overtake what
// was sent before it. So the last bytes are written, the end is sent, and what still comes is
// thrown away until the other end closes too, or a second has passed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/timer.h"

namespace zatt::server {

class LingeringClose {
 public:
  explicit LingeringClose(loop::Loop& loop) : loop_(loop) {}

  // Takes the stream, writes the last bytes, and ends it.
  void close(loop::Stream stream, std::string last_bytes);
  std::size_t size() const { return leaving_.size(); }  // not ended yet

 private:
  struct Leaving {
    loop::Stream stream;
    loop::Timer limit;
  };
  loop::Loop& loop_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Leaving> leaving_;
};

}  // namespace zatt::server
