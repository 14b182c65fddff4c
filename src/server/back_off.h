// SPDX-License-Identifier: AGPL-3.0-or-later
// How long to wait before trying again: 50 ms, doubled each time, up to a second or another limit.
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

  explicit BackOff(std::uint64_t seed, std::uint64_t limit_ms = last_ms)
      : prng_(seed), limit_ms_(limit_ms) {}

  // How long to wait before the next try.
  std::uint64_t next_ms() {
    const std::uint64_t most = wait_ms_;
    wait_ms_ = std::min(2 * wait_ms_, limit_ms_);
    return prng_.between(most / 2, most);
  }
  // It went well: the next wait is the shortest.
  void reset() { wait_ms_ = first_ms; }

 private:
  Prng prng_;
  std::uint64_t limit_ms_;
  std::uint64_t wait_ms_ = first_ms;
};

// When to call a node again.
class Redial {
 public:
  static constexpr std::uint64_t good_link_us = 5'000'000;  // lived so long: the next wait is short
  // Most between two attempts where a node answers and the link does not last: it refuses this one.
  static constexpr std::uint64_t unwelcome_limit_ms = 10'000;

  explicit Redial(std::uint64_t seed) : unreached_(seed), unwelcome_(seed, unwelcome_limit_ms) {}

  std::uint64_t after_failure_ms() {
    unwelcome_.reset();  // whoever comes there next may be another
    return unreached_.next_ms();
  }
  // `good`: it was a node that answered.
  std::uint64_t after_link_ms(bool good, std::uint64_t lived_us) {
    if (!good) return unreached_.next_ms();
    if (lived_us <= good_link_us) return unwelcome_.next_ms();
    unwelcome_.reset();
    unreached_.reset();
    return unreached_.next_ms();
  }

 private:
  BackOff unreached_, unwelcome_;
};

}  // namespace zatt::server
