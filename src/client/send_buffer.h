// SPDX-License-Identifier: AGPL-3.0-or-later
// Bytes on their way to one connection, counted from its first, so that it can be said of a line
// whether any of it may have left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace zatt::client {

class SendBuffer {
 public:
  // What waits, in order. Valid until the next call that is not const.
  std::string_view waiting() const { return std::string_view(bytes_).substr(begin_); }
  bool is_full() const { return waiting().size() >= most_bytes; }

  // What is put behind its end waits, too. Nothing else of it may be changed.
  std::string& bytes() { return bytes_; }
  // How many bytes were ever put here: where the next line begins.
  std::uint64_t queued_bytes() const { return sent_ + waiting().size(); }
  // Whether a byte from `offset` on was taken: `offset` is what queued_bytes() said.
  bool has_sent_from(std::uint64_t offset) const { return offset < sent_; }

  // The connection took the first `bytes` of waiting().
  void on_sent(std::size_t bytes) {
    sent_ += bytes;
    begin_ += bytes;
    ZATT_ASSERT(begin_ <= bytes_.size());
    if (begin_ < bytes_.size() && begin_ < most_bytes) return;
    bytes_.erase(0, begin_);
    begin_ = 0;
  }

 private:
  static constexpr std::size_t most_bytes = 256 << 10;  // written out before more is put there

  std::string bytes_;
  std::size_t begin_ = 0;   // of bytes_: what is before it has been sent
  std::uint64_t sent_ = 0;  // so far
};

}  // namespace zatt::client
