// SPDX-License-Identifier: AGPL-3.0-or-later
// A bar on standard error, where a person looks at it; nothing at all elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace zatt::cli {

class Progress {
 public:
  // `wanted` false: the terminal is needed for something else.
  Progress(std::string_view what, bool wanted);
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool is_shown() const { return shown_; }
  void expect(std::uint64_t whole) { whole_ = whole; }  // 0: nobody knows
  // `part` of what is expected; a few times a second it is drawn.
  void show(std::uint64_t part, std::uint64_t keys);
  void end();

 private:
  const std::string what_;
  const bool shown_;
  bool drawn_ = false;
  std::uint64_t whole_ = 0;
  std::int64_t next_ms_ = 0;
};

// One line: "[#####.....]  50%  exported 12345".
std::string bar(std::string_view what, std::uint64_t part, std::uint64_t whole, std::uint64_t keys);

}  // namespace zatt::cli
