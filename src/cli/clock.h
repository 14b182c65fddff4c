// SPDX-License-Identifier: AGPL-3.0-or-later
// A clock for waiting.
#pragma once

#include <chrono>
#include <cstdint>

namespace zatt::cli {

// Milliseconds since an unknown moment; never goes back.
inline std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace zatt::cli
