// SPDX-License-Identifier: AGPL-3.0-or-later
// The power fails, or the disk does, at every step of a fixed workload: every case is tried.
//
// At each call that changes the disk the power fails, and leaves every image that one sector, one
// unit or one directory operation makes, kept or lost alone; tears of the last write, the first or
// the last so many writes, data or names alone, and random ones. What is found on an image must be
// a state that was handed over, hold every entry and vote that was promised, and raise no alarm; it
// must start, go on, and after another power loss still hold all of that. At each call, reading
// ones included, the disk fails once or for good, in every way it can: the storage must stop or go
// on, and in either case nothing that it called durable may be missing on what is left. To depth 2
// the power fails again, at each step of the recovery from a sample of the images.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace zatt::test {

struct CrashRunOptions {
  // Of every `of` steps this run takes number `share`: so that several processes share the work.
  std::uint64_t share = 0;
  std::uint64_t of = 1;
  bool power = true;             // losses of power
  bool errors = true;            // errors of the disk
  std::uint64_t recoveries = 0;  // about so many images are crashed again while they recover
  // This one alone: as a line that failed has it.
  std::string only;

  std::function<void(const std::string& line)> say;  // what failed, and what replays it
  std::function<void()> on_step;                     // a step is done
  // What is tried at the moment: for whoever handles the signal when an assertion fails.
  std::string* trying = nullptr;
};

struct CrashRunResult {
  std::uint64_t steps = 0;
  std::uint64_t images = 0;
  std::uint64_t error_runs = 0;
  std::uint64_t recoveries = 0;
  std::uint64_t passed = 0;  // images and error runs
  std::uint64_t failed = 0;
};

std::uint64_t crash_run_steps();  // of the workload, over all shares: what on_step counts towards
CrashRunResult crash_run(const CrashRunOptions& options);

}  // namespace zatt::test
