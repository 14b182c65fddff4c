// SPDX-License-Identifier: AGPL-3.0-or-later
// How long to wait before trying again: 50 ms, doubled each time, up to a second.
//
// A random part of it is left out, so that nodes that lost each other at one moment do not all
// come back at one moment.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/prng.h"

namespace zatt::server {

class BackOff {
 public:
  static constexpr std::uint64_t first_ms = 50;
  static constexpr std::uint64_t last_ms = 1000;

  explicit BackOff(std::uint64_t seed) : prng_(seed) {}

  std::uint64_t next_ms() {
    const std::uint64_t most = wait_ms_;
    wait_ms_ = std::min(2 * wait_ms_, last_ms);
    return prng_.between(most / 2, most);
  }
  void reset() { wait_ms_ = first_ms; }

 private:
  Prng prng_;
  std::uint64_t wait_ms_ = first_ms;
};

}  // namespace zatt::server
