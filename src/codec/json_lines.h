// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's stream of bytes cut into lines, with one bound on what is kept.
//
// Lines end with \n (a \r before it goes too); empty ones are skipped; a line over the limit is
// reported once and its rest thrown away unparsed; the end of the stream ends a last line too.
// However the stream is cut into pieces, the lines are the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/release.h"

namespace zatt::codec {

// Bytes that are readable behind a line that is handed out, and must be behind one that is parsed;
// what they hold does not matter.
inline constexpr std::size_t line_slack = 64;

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // Called once a line, in order, as `bool(std::string_view line, bool too_long)`. Lines that are
  // too long come with the text empty, as soon as they are seen to be. line_slack bytes
  // are readable after the text, which is borrowed for the call. Answering false stops the
  // splitting: the rest is kept, and feed({}, ...) goes on with it. The splitter itself must not be
  // fed or destroyed from here. A template, so that no line takes an indirect call.

  // `bytes` need line_slack readable bytes after them: whole lines are handed out in place.
  template <class OnLine>
  void feed(std::string_view bytes, const OnLine& on_line);
  // The end of the stream. Where on_line stops it before the last line, call it again.
  template <class OnLine>
  void end(const OnLine& on_line);

  // Gives up the line that has begun, with what is still to come of it; not while stopped.
  void skip_line() {
    drop_kept();
    skipping_ = true;
  }

  // One line's beginning, of at most the limit and two bytes more; while stopped, all that was fed.
  std::size_t kept_bytes() const { return kept_.size() - begin_; }

 private:
  // One line, without its newline, to on_line. Returns on_line's answer; true for an empty line.
  template <class OnLine>
  bool hand_out(std::string_view line, const OnLine& on_line);
  // Hands out the whole lines in `bytes`, until on_line stops it. Returns how many bytes they took.
  template <class OnLine>
  std::size_t split(std::string_view bytes, const OnLine& on_line);
  // The same with what is kept, and forgets what was handed out.
  template <class OnLine>
  void split_kept(const OnLine& on_line);
  // Keeps what no newline has ended yet. No more than a limit of it is copied to be thrown away.
  template <class OnLine>
  void keep(std::string_view rest, const OnLine& on_line);
  // Gives up a line's beginning that is too long already. One byte past the limit may still be the
  // \r of a newline to come.
  template <class OnLine>
  void check_kept(const OnLine& on_line);
  void drop_kept();

  std::size_t max_line_bytes_;
  std::string kept_;       // from begin_ on: the beginning of a line, or lines kept back
  std::size_t begin_ = 0;  // kept_ is freed when nothing is left in it
  bool skipping_ = false;  // in the rest of a line that was too long
  bool stopped_ = false;   // kept_ may hold whole lines
};

template <class OnLine>
void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  if (stopped_) {
    kept_.append(bytes);
    split_kept(on_line);
    return check_kept(on_line);
  }
  if (kept_bytes() > 0) {  // a line's beginning: only what is missing of it is copied
    const std::size_t newline = bytes.find('\n');
    if (newline == std::string_view::npos) return keep(bytes, on_line);
    // Within the limit, or some bytes past it that nobody needs: too long it is either way.
    const std::size_t wanted = max_line_bytes_ + 2 - std::min(kept_bytes(), max_line_bytes_ + 2);
    kept_.append(bytes.substr(0, std::min(newline, wanted)));
    bytes.remove_prefix(newline + 1);
    kept_.push_back('\n');
    split_kept(on_line);
    if (stopped_) {
      kept_.append(bytes);
      return;
    }
  }
  const std::size_t used = split(bytes, on_line);
  keep(bytes.substr(used), on_line);
}

template <class OnLine>
void LineSplitter::end(const OnLine& on_line) {
  feed({}, on_line);
  if (stopped_) return;
  if (!skipping_ && kept_bytes() > 0) {
    kept_.push_back('\n');
    split_kept(on_line);
  }
  skipping_ = false;
}

template <class OnLine>
bool LineSplitter::hand_out(std::string_view line, const OnLine& on_line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return true;
  const bool too_long = line.size() > max_line_bytes_;
  return on_line(too_long ? std::string_view() : line, too_long);
}

template <class OnLine>
std::size_t LineSplitter::split(std::string_view bytes, const OnLine& on_line) {
  stopped_ = false;
  std::size_t begin = 0;
  while (!stopped_) {
    const std::size_t newline = bytes.find('\n', begin);
    if (newline == std::string_view::npos) return skipping_ ? bytes.size() : begin;
    const std::string_view line = bytes.substr(begin, newline - begin);
    begin = newline + 1;
    const bool rest_of_long = skipping_;
    skipping_ = false;
    if (!rest_of_long) stopped_ = !hand_out(line, on_line);
  }
  return begin;
}

template <class OnLine>
void LineSplitter::split_kept(const OnLine& on_line) {
  const std::size_t size = kept_.size();
  kept_.append(line_slack, '\0');
  const std::size_t used = split(std::string_view(kept_).substr(begin_, size - begin_), on_line);
  kept_.resize(size);
  begin_ += used;
  if (begin_ == size) return drop_kept();
  if (begin_ < size / 2) return;  // moved seldom, so that a stop a line costs no move a line
  kept_.erase(0, begin_);
  begin_ = 0;
}

template <class OnLine>
void LineSplitter::keep(std::string_view rest, const OnLine& on_line) {
  if (!stopped_) {
    if (skipping_) return;
    rest = rest.substr(0, max_line_bytes_ + 2);
  }
  kept_.append(rest);
  check_kept(on_line);
}

template <class OnLine>
void LineSplitter::check_kept(const OnLine& on_line) {
  if (stopped_) return;
  const std::size_t size = kept_bytes();
  if (size <= max_line_bytes_) return;
  if (size == max_line_bytes_ + 1 && kept_.back() == '\r') return;
  drop_kept();
  skipping_ = true;
  stopped_ = !on_line({}, true);
}

inline void LineSplitter::drop_kept() {
  release(kept_);
  begin_ = 0;
}

}  // namespace zatt::codec
