// SPDX-License-Identifier: AGPL-3.0-or-later
// Simulated time: what happens when, in an order that only the seed decides.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/checksum.h"

namespace zatt::sim {

class Scheduler {
 public:
  std::uint64_t now_us() const { return now_us_; }

  void at(std::uint64_t time_us, std::function<void()> event) {
    events_.emplace(std::pair{std::max(time_us, now_us_), ++last_}, std::move(event));
  }
  void in(std::uint64_t delay_us, std::function<void()> event) {
    at(now_us_ + delay_us, std::move(event));
  }

  // Runs the earliest event. False where there is none, or none before `until_us`.
  bool run_one(std::uint64_t until_us) {
    if (events_.empty() || events_.begin()->first.first > until_us) {
      now_us_ = std::max(now_us_, until_us);
      return false;
    }
    auto event = events_.extract(events_.begin());
    now_us_ = event.key().first;
    trace(event.key().first);
    event.mapped()();
    return true;
  }

  // Everything that happened so far, as one number: equal for equal seeds, on every build.
  void trace(std::uint64_t what) { hash_ = checksum_key(hash_, what); }
  std::uint64_t trace_hash() const { return hash_; }

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> events_;
  std::uint64_t now_us_ = 1'000'000;
  std::uint64_t last_ = 0;
  std::uint64_t hash_ = 0;
};

}  // namespace zatt::sim
