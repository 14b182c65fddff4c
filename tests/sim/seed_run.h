// SPDX-License-Identifier: AGPL-3.0-or-later
// One seed: a bad day, and then what must become of it.
//
// First everything goes wrong and only safety is asked for. Then a core is well again: everybody,
// or a bare majority while the others stay broken for good; and what the core owes its clients, it
// owes in time. Beyond the budget of faults nothing is owed but the truth.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"

namespace zatt::sim {

class SeedRun {
 public:
  SeedRun(std::uint64_t seed, const Choice& choice, bool verbose);

  // Nothing: all held.
  std::optional<Violation> run();

  const Settings& settings() const { return settings_; }
  std::uint64_t trace_hash() { return cluster_.scheduler().trace_hash(); }
  std::uint64_t simulated_us() const { return cluster_.now_us() - began_us_; }
  const Coverage& coverage() { return cluster_.coverage(); }
  // A leader was known to all of the core soon: within 3 timeouts and 10 delays.
  bool was_quick() const { return was_quick_; }
  std::string summary();

 private:
  std::optional<Violation> check_phases();
  void run_until(std::uint64_t us);
  bool step(std::uint64_t until_us);
  void watch_for_storms();
  // Runs until it is so. A violation of liveness where it is not within `us`.
  bool await(const char* what, std::uint64_t us, const std::function<bool()>& is_so);

  // Whoever asks: clients, or proposers.
  void calm_down();
  void stop_asking();
  void probe(NodeNumber number);
  bool probes_are_done();
  bool is_at_rest();
  std::optional<Violation> check_answers();

  void choose_core();
  void mend_core();
  void live();
  void be_quiet(std::uint64_t level_us, std::uint64_t leader_us);
  void bear_load();
  void watch_load(std::uint64_t terms_before);
  void check_lag(NodeNumber leader);
  void check_quiet(std::uint64_t terms_before, std::uint64_t frames_before);
  bool leads_well() const;
  static bool is_stuck_leader(const Machine& machine);
  bool has_room() const;
  bool is_level() const;
  std::uint64_t catch_up_us() const;
  bool has_nothing_left() const;
  std::string why_not() const;

  const Settings settings_;
  const bool verbose_;
  Cluster cluster_;
  FaultSchedule fault_schedule_;
  std::vector<NodeNumber> core_;
  // Under load: what the leader's log held by when, and what moved last.
  std::deque<std::pair<std::uint64_t, Index>> marks_;
  std::optional<NodeNumber> restarted_;
  std::uint64_t load_began_us_ = 0, moved_us_ = 0, moved_ = 0, most_lag_us_ = 0;
  std::uint64_t began_us_ = 0;
  bool was_quick_ = true;
  std::uint64_t second_ = 0, frames_before_it_ = 0;
};

}  // namespace zatt::sim
