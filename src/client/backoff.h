// SPDX-License-Identifier: AGPL-3.0-or-later
// How long to wait before something is tried again: twice as long each time, and never two clients
// in step.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/prng.h"

namespace zatt::client {

class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : prng_(seed) {}

  // The pause once it was tried in vain `times` times before: about first_pause_us << times, and
  // about most_us at most; by up to a half shorter or longer.
  std::uint64_t pause_us(std::uint32_t times, std::uint64_t most_us = longest_pause_us) {
    const std::uint64_t us = std::min(most_us, first_pause_us << std::min(times, 10U));
    return us / 2 + prng_.below(us);
  }

 private:
  static constexpr std::uint64_t first_pause_us = 20'000;
  static constexpr std::uint64_t longest_pause_us = 400'000;

  Prng prng_;
};

}  // namespace zatt::client
