// SPDX-License-Identifier: AGPL-3.0-or-later
// What every target needs: the fuzzer's bytes as choices, and a way to say that a promise is
// broken.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace zatt::fuzz {

// Takes from the front; zeros when all is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : in_(std::string_view(reinterpret_cast<const char*>(data), size)) {}

  bool done() const { return in_.left() == 0; }
  std::uint8_t u8() { return in_.u8(); }
  std::uint16_t u16() { return in_.u16(); }
  std::uint64_t u64() { return in_.u64(); }
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : u16() % n; }
  std::string_view bytes(std::size_t most) { return in_.raw(std::min(most, in_.left())); }
  std::string_view rest() { return in_.raw(in_.left()); }

 private:
  Reader in_;
};

inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::abort();
}

// A text with the bytes that must be readable behind it, and nothing readable behind those.
class Padded {
 public:
  explicit Padded(std::string_view text, char fill = '\0') : size_(text.size()), bytes_(text) {
    bytes_.append(64, fill);
    bytes_.shrink_to_fit();
  }
  std::string_view text() const { return std::string_view(bytes_).substr(0, size_); }

 private:
  std::size_t size_;
  std::string bytes_;
};

}  // namespace zatt::fuzz
