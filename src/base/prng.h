// SPDX-License-Identifier: AGPL-3.0-or-later
// Our own small random numbers: the same seed gives the same numbers with every library.
//
// xoshiro256** (Blackman and Vigna), seeded through splitmix64. Not for secrets.
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace zatt {

class Prng {
 public:
  explicit Prng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  // 0 <= result < n. The bias is below n / 2^64.
  std::uint64_t below(std::uint64_t n) {
    ZATT_ASSERT(n > 0);
    return next() % n;
  }

  // low <= result <= high.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    ZATT_ASSERT(low <= high);
    return low + below(high - low + 1);
  }

  // True n times out of `of`.
  bool chance(std::uint64_t n, std::uint64_t of) { return below(of) < n; }

 private:
  static constexpr std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t state_[4] = {};
};

}  // namespace zatt
