// SPDX-License-Identifier: AGPL-3.0-or-later
// A peer's stream of bytes cut into frames, each behind its length (codec/frame.h).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace zatt::server {

class FrameSplitter {
 public:
  // Called once a frame, in order, without its length; borrowed for the call. Answering false
  // throws away what follows: nobody wants it.
  using OnFrame = std::function<bool(std::string_view frame)>;

  // False: a length that no frame has. Nothing that follows can be read.
  bool feed(std::string_view bytes, const OnFrame& on_frame);

  std::size_t kept_bytes() const { return kept_.size(); }

 private:
  std::string kept_;  // the beginning of a frame, its length included
};

}  // namespace zatt::server
