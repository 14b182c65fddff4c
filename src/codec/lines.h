// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's stream of bytes cut into lines, with one bound on what is kept.
//
// Lines end with \n (a \r before it goes too); empty ones are skipped; a line over the limit is
// reported once and its rest thrown away unparsed; the end of the stream ends a last line too.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace zatt::codec {

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // Called once a line, in order. `too_long` lines come with the text empty. 64 bytes (line_slack
  // of request.h) are readable behind the text, which is borrowed for the call.
  // Answering false stops the splitting: the rest is kept, and feed({}, ...) goes on with it.
  using OnLine = std::function<bool(std::string_view line, bool too_long)>;

  // `bytes` need line_slack readable bytes behind them: whole lines are handed out in place.
  void feed(std::string_view bytes, const OnLine& on_line);
  // The end of the stream.
  void end(const OnLine& on_line);

  std::size_t kept_bytes() const { return kept_.size(); }

 private:
  std::size_t max_line_bytes_;
  std::string kept_;  // the beginning of a line, or lines kept back; freed when empty
  bool skipping_ = false;
};

}  // namespace zatt::codec
