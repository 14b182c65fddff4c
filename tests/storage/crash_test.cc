// SPDX-License-Identifier: AGPL-3.0-or-later
// The power fails at every step of a fixed workload, and again while it is recovered from.
//
// What is found afterwards must be a state that was handed over, must hold every entry and vote
// that was promised, and must raise no alarm.
#include <doctest/doctest.h>

#include <functional>
#include <iterator>

#include "tests/storage/harness.h"
#include "tests/support/durable_log.h"

namespace zatt::storage {
namespace {

using test::Crash;
using test::DurableLog;
using test::Host;
using test::SimDisk;

// Everything that was promised is on the device, as a reader of its own understands it.
void check_promises(const Host& host, const DurableLog& log) {
  CHECK(log.problem() == "");
  std::size_t promised = host.history.front().lines.size();
  for (const test::State& state : host.history) promised = std::min(promised, state.lines.size());
  for (std::size_t i = 0; i < promised; ++i) {
    const test::Line& line = host.history.front().lines[i];
    if (!log.is_entry_durable(Index{line.index}, Term{line.term})) CHECK(line.index == 0);
  }
  if (host.history.size() == 1) {
    const HardState& state = host.history.front().hard_state;
    CHECK(log.is_term_durable(state.current_term));
    if (state.voted_for) CHECK(log.is_vote_durable(state.current_term, *state.voted_for));
  }
}

// About sixty operations: appends of every size, saves, two cuts, marks, restarts; four roll-overs
// and more. Stops at the first failure.
void run_workload(SimDisk& disk, Host& host, bool check) {
  if (!host.start()) return;
  std::optional<DurableLog> log;
  if (check) log.emplace(disk);
  const std::size_t sizes[] = {10, 600, 5000, 30, 2500};
  Prng prng(7);
  std::uint64_t term = 1;
  for (std::uint64_t i = 0; i < 60; ++i) {
    if (i == 21 || i == 44) {
      host.cut(host.last() - (i == 21 ? 9 : 2));
      host.save(++term, std::nullopt);
    }
    if (i % 13 == 5) host.save(++term, Server{"1", 2});
    const std::uint64_t entries = prng.between(1, 3);
    host.append(term, entries, sizes[prng.below(5)]);
    if (prng.chance(1, 3)) continue;  // gathers
    if (prng.chance(1, 3)) {          // one is written while the next gathers
      host.begin();
      host.append(term, 2, 40);
      if (i == 30) host.cut(host.last() - 3);
      if (!host.finish()) return;
      continue;
    }
    if (!(i % 11 == 3 ? host.mark() : host.work())) return;
    if (check) check_promises(host, *log);
    if (i == 36 || i == 52) {
      disk.kill();
      if (!host.start()) return;
    }
  }
  if (host.work()) host.mark();
}

std::uint64_t count_calls() {
  SimDisk disk;
  Host host(disk);
  run_workload(disk, host, false);
  return disk.calls();
}

// Recovers wholly, and goes on; another crash then loses nothing of what was found.
std::string recover_and_go_on(SimDisk& disk, Host& host, Prng& prng) {
  if (!host.start()) return "no start: " + to_string(*host.error);
  host.append(9, 2, 700);
  host.work();
  host.append(9, 1, 700);
  if (prng.chance(1, 2)) host.cut(host.last() - 1);
  disk.crash(prng, Crash::all_lost);
  host.inspect();
  return host.judge();
}

}  // namespace

TEST_CASE("crash: the workload is what it says") {
  SimDisk disk;
  Host host(disk);
  run_workload(disk, host, true);
  REQUIRE(!host.error);
  REQUIRE(host.inspect());
  CHECK(host.judge() == "");
  CHECK(host.lines().size() > 80);
  std::uint64_t segments = 0;
  for (const std::string& name : disk.durable_names()) segments += name.ends_with(".seg");
  CHECK(segments > 5);
}

TEST_CASE("crash: at every step of a workload, in eight ways") {
  const std::uint64_t calls = count_calls();
  CHECK(calls > 200);
  std::uint64_t images = 0;
  for (std::uint64_t at = 0; at < calls; ++at) {
    SimDisk disk;
    Host host(disk);
    disk.crash_at(at);
    run_workload(disk, host, false);
    REQUIRE(disk.is_crashed());
    if (host.history.empty()) host.history.emplace_back();  // the first start had promised nothing
    const std::vector<test::State> before = host.history;
    for (const Crash mode : test::every_crash) {
      Prng prng(at * 8 + static_cast<std::uint64_t>(mode));
      const auto image = disk.clone();
      image->crash(prng, mode);
      Host next(*image);
      next.history = before;
      next.inspect();
      if (!next.error && !next.found_hard_state) {  // the first start: nothing was promised yet
        CHECK(before.size() == 1);
        CHECK(before.front().hard_state == HardState{});
      } else if (before.front().hard_state == HardState{}) {
        CHECK(!next.error);
        CHECK(next.found_lines.empty());
      } else if (const std::string verdict = next.judge(); !verdict.empty()) {
        CAPTURE(at);
        CAPTURE(static_cast<int>(mode));
        CHECK(verdict == "");
      }
      const std::string later = recover_and_go_on(*image, next, prng);
      if (!later.empty()) {
        CAPTURE(at);
        CAPTURE(static_cast<int>(mode));
        CHECK(later == "");
      }
      ++images;
    }
  }
  MESSAGE("crash images: ", images);
}

TEST_CASE("crash: while recovering from a crash") {
  const std::uint64_t calls = count_calls();
  std::uint64_t images = 0;
  for (std::uint64_t at = 3; at < calls; at += 23) {
    SimDisk disk;
    Host host(disk);
    disk.crash_at(at);
    run_workload(disk, host, false);
    if (host.history.empty()) continue;
    const std::vector<test::State> before = host.history;
    Prng prng(at);
    disk.crash(prng, at % 2 == 0 ? Crash::random : Crash::all_kept);
    for (std::uint64_t step = 0;; ++step) {
      const auto first = disk.clone();
      Host recovering(*first);
      first->crash_at(step);
      if (recovering.start()) break;
      for (const Crash mode : test::every_crash) {
        const auto image = first->clone();
        image->crash(prng, mode);
        Host next(*image);
        next.history = before;
        next.inspect();
        CAPTURE(at);
        CAPTURE(step);
        CAPTURE(static_cast<int>(mode));
        if (const std::string verdict = next.judge(); !verdict.empty()) CHECK(verdict == "");
        const std::string later = recover_and_go_on(*image, next, prng);
        if (!later.empty()) CHECK(later == "");
        ++images;
      }
    }
  }
  MESSAGE("crash images: ", images);
}

// Random work until the disk fails, the process is killed or the power goes; judged; and again on
// what is left.
std::string run_generations(std::uint64_t seed, std::uint64_t generations) {
  Prng prng(seed);
  SimDisk disk;
  Host host(disk);
  for (std::uint64_t generation = 0; generation < generations; ++generation) {
    const std::uint64_t doom = prng.below(3);
    const std::uint64_t at = prng.below(120);
    if (doom == 1) disk.crash_at(at);
    if (doom == 2) disk.fail_call(at, 5, prng.chance(1, 2));
    const bool shows_old = prng.chance(1, 2);
    disk.set_failed_sync(shows_old ? SimDisk::FailedSync::shows_old
                                   : SimDisk::FailedSync::shows_new);
    const std::vector<test::State> before = host.history;
    if (host.start()) {
      for (std::uint64_t n = prng.below(40); n > 0 && !host.error; --n) {
        const std::uint64_t term = generation + 1;
        const std::uint64_t what = prng.below(10);
        const std::uint64_t count = prng.between(1, 4);
        const std::uint64_t bytes = prng.chance(1, 10) ? 30'000 : prng.below(3000);
        if (what < 5) host.append(term, count, bytes);
        if (what == 5)
          host.cut(host.last() - prng.below(std::min<std::uint64_t>(host.last(), 9) + 1));
        if (what == 6) host.save(term, Server{std::to_string(n), 1});
        if (what == 7) host.mark();
        if (what == 8) host.begin();
        if (what >= 8) host.finish();
      }
    }
    if (host.history.empty()) host.history = before;
    if (host.history.empty()) host.history.emplace_back();
    disk.clear_faults();
    const std::uint64_t mode = prng.below(std::size(test::every_crash) + 2);
    if (mode < std::size(test::every_crash)) disk.crash(prng, test::every_crash[mode]);
    host.inspect();
    const bool is_new = host.history.front().hard_state == HardState{};
    if (is_new && !host.error && !host.damage && host.found_lines.empty()) continue;
    if (const std::string verdict = host.judge(); !verdict.empty())
      return "generation " + std::to_string(generation) + ": " + verdict;
  }
  return "";
}

TEST_CASE("crash: generation after generation") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const std::string verdict = run_generations(seed, 12);
    CAPTURE(seed);
    if (!verdict.empty()) CHECK(verdict == "");
  }
}

}  // namespace zatt::storage
