// SPDX-License-Identifier: AGPL-3.0-or-later
// The crash runs of tests/storage on all cores.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/sim/runner.h"
#include "tests/storage/crash_run.h"

namespace zatt::sim {
namespace {

using Clock = std::chrono::steady_clock;
using test::CrashRunOptions;
using test::CrashRunResult;

constexpr std::uint64_t recoveries_at_depth_2 = 1000;

std::string trying;  // of the process, for the signal's handler

extern "C" void on_crash_run_abort(int) {
  const std::string text = "aborted at: " + trying + "\n";
  static_cast<void>(!write(STDOUT_FILENO, text.data(), text.size()));
  std::signal(SIGABRT, SIG_DFL);
}

CrashRunOptions options_of(const RunnerOptions& asked, std::uint64_t share, std::uint64_t of) {
  CrashRunOptions options;
  options.share = share;
  options.of = of;
  options.recoveries = asked.depth > 1 ? recoveries_at_depth_2 : 0;
  options.only = asked.image;
  options.trying = &trying;
  options.say = [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  };
  if (share == 0 && asked.image.empty())
    options.on_step = [steps = std::uint64_t{0}, of]() mutable {
      if (++steps % 20 != 0 || isatty(STDERR_FILENO) == 0) return;
      std::fprintf(stderr, "about %llu of %llu steps\n",
                   static_cast<unsigned long long>(steps * of),
                   static_cast<unsigned long long>(test::crash_run_steps()));
    };
  return options;
}

struct Child {
  pid_t pid = 0;
  int fd = -1;
};

Child begin(const RunnerOptions& options, std::uint64_t share, std::uint64_t of) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(1);
  std::fflush(stdout);
  Child child{fork(), ends[0]};
  if (child.pid == 0) {
    close(ends[0]);
    std::signal(SIGABRT, on_crash_run_abort);
    const CrashRunResult result = test::crash_run(options_of(options, share, of));
    _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
  }
  close(ends[1]);
  return child;
}

}  // namespace

int run_crashes(const RunnerOptions& options) {
  const auto began = Clock::now();
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  const std::uint64_t jobs = !options.image.empty() ? 1
                             : options.jobs > 0     ? options.jobs
                                                : static_cast<std::uint64_t>(cores > 1 ? cores : 1);
  std::vector<Child> children;
  for (std::uint64_t i = 0; i < jobs; ++i) children.push_back(begin(options, i, jobs));
  CrashRunResult all;
  for (const Child& child : children) {
    CrashRunResult result;
    if (read(child.fd, &result, sizeof result) != sizeof result) result = {0, 0, 0, 0, 0, 1};
    close(child.fd);
    waitpid(child.pid, nullptr, 0);
    all.images += result.images;
    all.error_runs += result.error_runs;
    all.recoveries += result.recoveries;
    all.passed += result.passed;
    all.failed += result.failed;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  const auto ull = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf(
      "%llu images, %llu runs with errors, %llu recoveries crashed again; %.1f s, %.0f images a "
      "minute\n",
      ull(all.images), ull(all.error_runs), ull(all.recoveries), seconds,
      60.0 * static_cast<double>(all.images) / seconds);
  std::printf("%llu passed, %llu failed\n", ull(all.passed), ull(all.failed));
  return all.failed == 0 ? 0 : 1;
}

}  // namespace zatt::sim
