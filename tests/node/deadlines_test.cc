// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/deadlines.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "base/prng.h"

namespace zatt::node {
namespace {

// Does the same to both, and looks whether they agree.
struct Fixture {
  static constexpr std::uint64_t span_us = 200;  // many requests have the same deadline

  Prng prng;
  Deadlines deadlines;
  std::multimap<std::uint64_t, PendingRequest*> model;
  std::vector<PendingRequest> requests{300};
  std::uint64_t now_us = 0;

  explicit Fixture(std::uint64_t seed) : prng(seed) {}

  PendingRequest& any() { return requests[prng.below(requests.size())]; }
  auto in_model(const PendingRequest& pending) {
    auto it = model.begin();
    while (it != model.end() && it->second != &pending) ++it;
    return it;
  }
  void add(PendingRequest& pending) {
    if (in_model(pending) != model.end()) return;
    pending.deadline_us = now_us + 1 + prng.below(span_us);
    deadlines.add(pending);
    model.emplace(pending.deadline_us, &pending);
  }
  void remove(PendingRequest& pending) {  // or not: it may not be there
    deadlines.remove(pending);
    if (const auto it = in_model(pending); it != model.end()) model.erase(it);
  }
  void shorten(PendingRequest& pending) {
    const std::uint64_t before_us = pending.deadline_us;
    const std::uint64_t to_us = now_us + 1 + prng.below(span_us);
    deadlines.shorten(pending, to_us);
    CHECK(pending.deadline_us == std::min(before_us, to_us));
    if (const auto it = in_model(pending); it != model.end()) {
      model.erase(it);
      model.emplace(pending.deadline_us, &pending);
    }
  }
  void pass_time() {
    now_us += prng.below(span_us / 4);
    std::uint64_t last_us = 0;
    while (PendingRequest* taken = deadlines.take_expired(now_us)) {
      REQUIRE(taken->deadline_us <= now_us);
      REQUIRE(taken->deadline_us >= last_us);
      last_us = taken->deadline_us;
      const auto it = in_model(*taken);
      REQUIRE(it != model.end());
      model.erase(it);
    }
    agree();
    REQUIRE((model.empty() || model.begin()->first > now_us));
  }
  void agree() const {
    REQUIRE(deadlines.size() == model.size());
    REQUIRE(deadlines.next_us() == (model.empty() ? never_us : model.begin()->first));
  }
};

}  // namespace

TEST_CASE("deadlines: the next one first, whatever was added, removed and shortened before") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    Fixture f(seed);
    for (int i = 0; i < 2'000; ++i) {
      switch (f.prng.below(20)) {
        case 0:
          f.pass_time();
          break;
        case 1:
        case 2:
        case 3:
          f.remove(f.any());
          break;
        case 4:
        case 5:
        case 6:
          f.shorten(f.any());
          break;
        default:
          f.add(f.any());
      }
      f.agree();
    }
    f.now_us += Fixture::span_us;
    f.pass_time();
    CHECK(f.model.empty());
  }
}

TEST_CASE("deadlines: the time of a request is up at its deadline, and it is taken once") {
  Deadlines deadlines;
  PendingRequest pending;
  pending.deadline_us = 10;
  CHECK(deadlines.next_us() == never_us);
  deadlines.add(pending);
  CHECK(deadlines.next_us() == 10);
  CHECK(deadlines.take_expired(9) == nullptr);
  CHECK(deadlines.take_expired(10) == &pending);
  CHECK(deadlines.take_expired(10) == nullptr);
  CHECK(deadlines.size() == 0);
}

TEST_CASE("deadlines: to remove one that is not there does nothing") {
  Deadlines deadlines;
  PendingRequest here, never, taken;
  here.deadline_us = 20;
  taken.deadline_us = 10;
  deadlines.add(here);
  deadlines.add(taken);
  CHECK(deadlines.take_expired(10) == &taken);
  deadlines.remove(taken);
  deadlines.remove(never);
  CHECK(deadlines.size() == 1);
  deadlines.remove(here);
  deadlines.remove(here);
  CHECK(deadlines.size() == 0);
  CHECK(deadlines.next_us() == never_us);
}

TEST_CASE("deadlines: a deadline is brought forward, and never put off") {
  Deadlines deadlines;
  PendingRequest first, second;
  first.deadline_us = 10;
  second.deadline_us = 20;
  deadlines.add(first);
  deadlines.add(second);
  deadlines.shorten(second, 5);
  CHECK(deadlines.next_us() == 5);
  deadlines.shorten(second, 30);
  CHECK(deadlines.take_expired(5) == &second);
  CHECK(deadlines.take_expired(5) == nullptr);
  CHECK(deadlines.take_expired(10) == &first);
}

}  // namespace zatt::node
