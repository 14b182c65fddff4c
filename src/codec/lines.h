// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's stream of bytes cut into lines, with one bound on what is kept.
//
// Lines end with \n (a \r before it goes too); empty ones are skipped; a line over the limit is
// reported once and its rest thrown away unparsed; the end of the stream ends a last line too.
// However the stream is cut into pieces, the lines are the same.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace zatt::codec {

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // Called once a line, in order. `too_long` lines come with the text empty, as soon as they are
  // seen to be. 64 bytes (line_slack of request.h) are readable behind the text, which is borrowed
  // for the call. Answering false stops the splitting: the rest is kept, and feed({}, ...) goes on
  // with it. The splitter itself must not be fed or destroyed from here.
  using OnLine = std::function<bool(std::string_view line, bool too_long)>;

  // `bytes` need line_slack readable bytes behind them: whole lines are handed out in place.
  void feed(std::string_view bytes, const OnLine& on_line);
  // The end of the stream. Where on_line stops it before the last line, call it again.
  void end(const OnLine& on_line);

  // One line's beginning, of at most the limit and two bytes more; while stopped, all that was fed.
  std::size_t kept_bytes() const { return kept_.size() - begin_; }

 private:
  bool hand_out(std::string_view line, const OnLine& on_line);
  std::size_t split(std::string_view bytes, const OnLine& on_line);
  void split_kept(const OnLine& on_line);
  void keep(std::string_view rest, const OnLine& on_line);
  void check_kept(const OnLine& on_line);
  void drop_kept();

  std::size_t max_line_bytes_;
  std::string kept_;       // from begin_ on: the beginning of a line, or lines kept back
  std::size_t begin_ = 0;  // kept_ is freed when nothing is left behind it
  bool skipping_ = false;  // in the rest of a line that was too long
  bool stopped_ = false;   // kept_ may hold whole lines
};

}  // namespace zatt::codec
