// SPDX-License-Identifier: AGPL-3.0-or-later
// Many seeds on all cores, each in a process that survives an assertion's abort of another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/settings.h"

namespace zatt::sim {

struct RunnerOptions {
  Choice choice;
  std::uint64_t first = 1;
  std::uint64_t seeds = 200;
  std::uint64_t seconds = 0;  // and more, until so much time has passed
  std::optional<std::uint64_t> alone;
  std::uint64_t jobs = 0;  // 0: one a core
  bool trace = false;
  bool twice = false;
  bool hashes = false;
  bool coverage = false;
  bool crash_run = false;
  std::uint64_t depth = 1;  // of the crash run: 2 crashes recoveries too
  std::string image;        // of the crash run: this one alone
};

// All print what they find, and return zatt-sim's exit status.
int run_alone(const RunnerOptions& options);
int run_many(const RunnerOptions& options);
int run_crashes(const RunnerOptions& options);  // crash_campaign.cc

}  // namespace zatt::sim
