// SPDX-License-Identifier: AGPL-3.0-or-later
// The power fails at every step of a fixed workload, and again while it is recovered from.
//
// What is found afterwards must be a state that was handed over, must hold every entry and vote
// that was promised, and must raise no alarm.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <set>

#include "tests/storage/crash_run.h"
#include "tests/storage/crash_workload.h"
#include "tests/storage/harness.h"
#include "tests/storage/part.h"
#include "tests/support/durable_log.h"

namespace zatt::storage {
namespace {

using test::Crash;
using test::DurableLog;
using test::Host;
using test::part;
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
    CHECK(log.is_term_durable(state.raft_state.current_term));
    if (state.raft_state.voted_for)
      CHECK(log.is_vote_durable(state.raft_state.current_term, *state.raft_state.voted_for));
  }
}

test::CrashRunResult run_steps(test::CrashRunOptions options) {
  options.say = [](const std::string& line) {
    MESSAGE(line);
    MESSAGE("replay it with: zatt-sim --crash-run --image \"", line.substr(0, line.find(':')),
            "\"");
  };
  const test::CrashRunResult result = test::crash_run(options);
  CHECK(result.failed == 0);
  return result;
}

}  // namespace

TEST_CASE("crash: the workload is what it says") {
  SimDisk disk;
  Host host(disk, test::crash_options());
  std::optional<DurableLog> log;
  std::set<std::string> pool, gone;
  std::size_t segments = 0;
  std::uint64_t most_entries = 0;
  run_crash_workload(disk, host, [&] {
    if (!log) log.emplace(disk);
    check_promises(host, *log);
    most_entries = std::max(most_entries, host.last());
    std::set<std::string> names;
    for (const std::string& name : disk.durable_names()) names.insert(name);
    for (const std::string& spare : pool)
      if (names.count(spare) == 0) gone.insert(spare);
    for (const std::string& name : names)
      if (name.ends_with(".spare")) pool.insert(name);
    const auto count = std::count_if(
        names.begin(), names.end(), [](const std::string& name) { return name.ends_with(".seg"); });
    segments = std::max(segments, static_cast<std::size_t>(count));
  });
  REQUIRE(!host.error);
  REQUIRE(host.scan());
  CHECK(host.verify() == "");
  CHECK(test::crash_workload().size() > 200);
  CHECK(most_entries > 80);
  CHECK(segments > 10);
  CHECK(gone.size() > 10);  // a spare that was used
}

TEST_CASE("crash: the power fails at every step, and leaves every image") {
  test::CrashRunOptions options;
  options.errors = false;
  options.of = part;
  const test::CrashRunResult result = run_steps(options);
  MESSAGE("crash images: ", result.images);
  CHECK(result.images > 100'000 / part);
}

TEST_CASE("crash: the disk fails at every step, in every way") {
  test::CrashRunOptions options;
  options.power = false;
  options.of = part;
  const test::CrashRunResult result = run_steps(options);
  MESSAGE("runs with an error: ", result.error_runs);
  CHECK(result.error_runs > 5000 / part);
}

TEST_CASE("crash: the power fails again while a crash is recovered from") {
  const bool all = std::getenv("ZATT_SOAK") != nullptr && part == 1;
  test::CrashRunOptions options;
  options.errors = false;
  options.recoveries = 1000;
  options.of = all ? 1 : 40 * part;
  options.share = all ? 0 : 17;
  const test::CrashRunResult result = run_steps(options);
  MESSAGE("recoveries crashed: ", result.recoveries);
  CHECK(result.recoveries > (all ? 1000 : 0));
}

namespace {

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
    disk.set_failed_write(static_cast<SimDisk::FailedWrite>(prng.below(3)));
    const std::vector<test::State> before = host.history;
    if (host.start()) {
      for (std::uint64_t n = prng.below(40); n > 0 && !host.error; --n) {
        const std::uint64_t term = generation + 1;
        const std::uint64_t what = prng.below(10);
        const std::uint64_t count = prng.between(1, 4);
        const std::uint64_t bytes = prng.chance(1, 10) ? 30'000 : prng.below(3000);
        if (what < 5) host.append(term, count, bytes);
        if (what == 5)
          host.truncate(host.last() - prng.below(std::min<std::uint64_t>(host.last(), 9) + 1));
        if (what == 6) host.save(term, MemberId{std::to_string(n), 1});
        if (what == 7) host.note();
        if (what == 8) host.begin();
        if (what >= 8) host.finish();
      }
    }
    if (host.history.empty()) host.history = before;
    if (host.history.empty()) host.history.emplace_back();
    disk.clear_faults();
    const std::uint64_t mode = prng.below(std::size(test::every_crash) + 2);
    if (mode < std::size(test::every_crash)) disk.crash(prng, test::every_crash[mode]);
    host.scan();
    const bool is_new = host.history.front().hard_state == HardState{};
    if (is_new && !host.error && !host.damage && host.found_lines.empty()) continue;
    if (const std::string verdict = host.verify(); !verdict.empty())
      return "generation " + std::to_string(generation) + ": " + verdict;
  }
  return "";
}

}  // namespace

TEST_CASE("crash: generation after generation") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const std::string verdict = run_generations(seed, 12);
    CAPTURE(seed);
    if (!verdict.empty()) CHECK(verdict == "");
  }
}

}  // namespace zatt::storage
