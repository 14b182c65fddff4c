// SPDX-License-Identifier: AGPL-3.0-or-later
// The time of day, which entries of the log carry. It may be wrong, go back and leap: nothing waits
// by it, every deadline has loop::now_us().
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace zatt::server {

// Microseconds since 1970; 0 where the clock stands before it. Any thread.
inline std::uint64_t wall_us() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
}

}  // namespace zatt::server
