// SPDX-License-Identifier: AGPL-3.0-or-later
// Simulated time: what happens when, in an order that only the seed decides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/checksum.h"

namespace zatt::sim {

class Scheduler {
 public:
  std::uint64_t now_us() const { return now_us_; }

  void at(std::uint64_t time_us, std::function<void()> event) {
    events_.push_back({std::max(time_us, now_us_), ++last_, std::move(event)});
    std::push_heap(events_.begin(), events_.end());
  }
  void in(std::uint64_t delay_us, std::function<void()> event) {
    at(now_us_ + delay_us, std::move(event));
  }

  // Runs the earliest event. False where there is none, or none before `until_us`.
  bool run_one(std::uint64_t until_us) {
    if (events_.empty() || events_.front().time_us > until_us) {
      now_us_ = std::max(now_us_, until_us);
      return false;
    }
    std::pop_heap(events_.begin(), events_.end());
    const Event event = std::move(events_.back());
    events_.pop_back();
    now_us_ = event.time_us;
    trace(now_us_);
    event.what();
    return true;
  }

  // Everything that happened so far, as one number: equal for equal seeds, on every build.
  void trace(std::uint64_t what) { hash_ = checksum_key(hash_, what); }
  std::uint64_t trace_hash() const { return hash_; }

 private:
  struct Event {
    std::uint64_t time_us;
    std::uint64_t number;  // of those at one moment, the one that was scheduled first goes first
    std::function<void()> what;
    friend bool operator<(const Event& a, const Event& b) {  // for a heap: the latest is the least
      return std::pair(a.time_us, a.number) > std::pair(b.time_us, b.number);
    }
  };
  std::vector<Event> events_;
  std::uint64_t now_us_ = 1'000'000;
  std::uint64_t last_ = 0;
  std::uint64_t hash_ = 0;
};

}  // namespace zatt::sim
