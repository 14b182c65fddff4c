// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/lines.h"

#include <algorithm>

#include "codec/request.h"

namespace zatt::codec {
namespace {

// What a newline ended, without the \r that may stand before it.
std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

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

void LineSplitter::end(const OnLine& on_line) {
  feed({}, on_line);
  if (stopped_) return;
  if (!skipping_ && kept_bytes() > 0) {
    kept_.push_back('\n');
    split_kept(on_line);
  }
  skipping_ = false;
}

bool LineSplitter::hand_out(std::string_view line, const OnLine& on_line) {
  line = without_return(line);
  if (line.empty()) return true;
  const bool too_long = line.size() > max_line_bytes_;
  return on_line(too_long ? std::string_view() : line, too_long);
}

// Hands out the whole lines in `bytes`, until on_line stops it. Answers how far it came.
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

// Keeps what no newline has ended yet. No more than a limit of it is copied to be thrown away.
void LineSplitter::keep(std::string_view rest, const OnLine& on_line) {
  if (!stopped_) {
    if (skipping_) return;
    rest = rest.substr(0, max_line_bytes_ + 2);
  }
  kept_.append(rest);
  check_kept(on_line);
}

// Gives up a line's beginning that is too long already. One byte past the limit may still be the
// \r of a newline to come.
void LineSplitter::check_kept(const OnLine& on_line) {
  if (stopped_) return;
  const std::size_t size = kept_bytes();
  if (size <= max_line_bytes_) return;
  if (size == max_line_bytes_ + 1 && kept_.back() == '\r') return;
  drop_kept();
  skipping_ = true;
  stopped_ = !on_line({}, true);
}

void LineSplitter::drop_kept() {
  kept_ = std::string();
  begin_ = 0;
}

}  // namespace zatt::codec
