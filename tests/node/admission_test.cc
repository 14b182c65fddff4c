// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/admission.h"

#include <doctest/doctest.h>

#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t megabyte = 1'000'000;

struct Fixture {
  test::FakeEnv env;
  Admission admission{env};
  std::uint64_t proposed = 0, applied = 0;

  void propose() { admission.on_proposed(Index{++proposed}, megabyte); }
  void apply() { admission.on_applied(Index{++applied}); }
  bool has_room() { return admission.has_room(0); }
  // Proposes what is taken, and says how much that was.
  std::uint64_t fill() {
    const std::uint64_t before = proposed;
    while (has_room()) propose();
    return proposed - before;
  }
};

}  // namespace

TEST_CASE("admission: before anything is known, what a slow disk writes in time") {
  Fixture fixture;
  CHECK(fixture.fill() == 5);  // one is let through beyond 4 MiB
  CHECK(fixture.admission.has_room(0, Admission::first_forwarded_bytes));
  CHECK_FALSE(fixture.admission.has_room(13 * megabyte, Admission::first_forwarded_bytes));
  fixture.apply();
  CHECK(fixture.fill() == 1);
}

TEST_CASE("admission: behind by a second, no more than was answered in a second") {
  Fixture fixture;
  fixture.fill();
  for (int i = 0; i < 40; ++i) {  // 5 MB/s
    fixture.env.now += 200'000;
    fixture.apply();
    fixture.fill();
  }
  CHECK(fixture.proposed - fixture.applied <= 7);
  CHECK(fixture.proposed - fixture.applied >= 4);  // its throughput stays
}

TEST_CASE("admission: how long a wait is, where the rate is all that there can be") {
  Fixture fixture;
  fixture.propose();
  fixture.apply();
  CHECK(fixture.admission.wait_us(100 * megabyte) == 0);  // nobody has asked for more than that
  fixture.fill();
  for (int i = 0; i < 40; ++i) {
    fixture.env.now += 250'000;
    fixture.apply();
    fixture.fill();
  }
  fixture.env.now += 1'100'000;
  CHECK(fixture.admission.wait_us(8 * megabyte) >= 1'500'000);
  CHECK(fixture.admission.wait_us(8 * megabyte) <= 6'000'000);
}

TEST_CASE("admission: a fast disk is never held back") {
  Fixture fixture;
  for (int i = 0; i < 2000; ++i) {  // 200 MB/s
    while (fixture.proposed < fixture.applied + 10 && fixture.has_room()) fixture.propose();
    CHECK(fixture.proposed - fixture.applied >= (i < 100 ? 4 : 10));
    fixture.env.now += 5'000;
    fixture.apply();
  }
  CHECK(fixture.fill() > 150);
}

TEST_CASE("admission: where nothing is answered any more, one piece, and all again once it is") {
  Fixture fixture;
  fixture.fill();
  fixture.env.now += 10'000'000;
  CHECK(fixture.fill() == 0);
  while (fixture.applied < fixture.proposed) fixture.apply();
  CHECK(fixture.has_room());
  CHECK(fixture.fill() >= 5);
  fixture.env.now += 10'000'000;
  while (fixture.applied + 1 < fixture.proposed) fixture.apply();
  fixture.env.now += 10'000'000;
  CHECK(fixture.has_room());  // small ones beside a large one
}

TEST_CASE("admission: what an earlier term had under way is forgotten") {
  Fixture fixture;
  fixture.admission.begin_term(Term{1});
  fixture.fill();
  fixture.env.now += 10'000'000;
  CHECK_FALSE(fixture.admission.is_in_time(fixture.env.now + 1'000'000));
  fixture.admission.begin_term(Term{1});
  CHECK_FALSE(fixture.has_room());
  fixture.admission.begin_term(Term{2});
  CHECK(fixture.has_room());
  CHECK(fixture.admission.is_in_time(fixture.env.now + 1));
}

TEST_CASE("admission: what would be answered too late is known") {
  Fixture fixture;
  CHECK(fixture.admission.is_in_time(fixture.env.now + 1));
  fixture.propose();
  fixture.propose();
  fixture.env.now += 2'000'000;
  CHECK_FALSE(fixture.admission.is_in_time(fixture.env.now + 2'900'000));  // the oldest waits
  CHECK(fixture.admission.is_in_time(fixture.env.now + 3'100'000));
  fixture.apply();
  fixture.propose();
  CHECK_FALSE(fixture.admission.is_in_time(fixture.env.now + 2'900'000));  // that one took so long
  fixture.env.now += 100'000;
  fixture.apply();
  fixture.apply();
  CHECK(fixture.admission.is_in_time(fixture.env.now + 100'000));  // nothing is under way
}

}  // namespace zatt::node
