// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/runner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "tests/sim/seed_run.h"

namespace zatt::sim {
namespace {

using Clock = std::chrono::steady_clock;

// What one seed came to, as a child tells its parent.
struct Report {
  std::uint64_t seed = 0;
  std::uint64_t invariant = 0;  // 0: all held
  std::uint64_t simulated_us = 0;
  std::uint64_t real_us = 0;  // that its core took
  std::uint64_t hash = 0;
  std::uint64_t quick = 0;
  Coverage coverage;
};

unsigned long long ull(std::uint64_t n) { return n; }

std::uint64_t microseconds(Clock::duration time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

// Of the process, for the signal's handler.
std::uint64_t running_seed = 0;

extern "C" void on_abort(int) {  // an assertion of ours did not hold: name the seed, then die
  char text[96];
  const int n =
      std::snprintf(text, sizeof text, "seed %llu: I22 assertion: aborted\n", ull(running_seed));
  if (n > 0) static_cast<void>(!write(STDOUT_FILENO, text, static_cast<std::size_t>(n)));
  std::signal(SIGABRT, SIG_DFL);
}

std::string replay(const RunnerOptions& options, std::uint64_t seed) {
  return "zatt-sim --seed " + std::to_string(seed) + options.choice.to_flags() + " --trace";
}

Report run_seed(const RunnerOptions& options, std::uint64_t seed) {
  running_seed = seed;
  const auto began = Clock::now();
  SeedRun seed_run(seed, options.choice, options.trace);
  if (options.alone)
    std::printf("seed %llu: %s\n", ull(seed), to_string(seed_run.settings()).c_str());
  auto wrong = seed_run.run();
  Report report;
  report.seed = seed;
  report.simulated_us = seed_run.simulated_us();
  report.real_us = microseconds(Clock::now() - began);
  report.hash = seed_run.trace_hash();
  report.quick = seed_run.was_quick() ? 1 : 0;
  report.coverage = seed_run.coverage();
  if (options.twice && !wrong) {
    SeedRun again(seed, options.choice, false);
    static_cast<void>(again.run());
    if (again.trace_hash() != report.hash)
      wrong = Violation{Invariant::determinism, "it went another way the second time"};
  }
  if (options.hashes) std::printf("%llu %016llx\n", ull(seed), ull(report.hash));
  if ((options.alone && !options.hashes) || wrong)
    std::printf("seed %llu: %s (%s, trace %016llx)%s\n", ull(seed),
                wrong ? to_string(*wrong).c_str() : "all held", seed_run.summary().c_str(),
                ull(report.hash),
                wrong && !options.trace ? ("; replay it: " + replay(options, seed)).c_str() : "");
  if (wrong) report.invariant = static_cast<std::uint64_t>(wrong->invariant);
  std::fflush(stdout);
  return report;
}

// Between all processes: a child that is free takes the next seed, and says which it has.
struct Desk {
  std::atomic<std::uint64_t> next = 0;
  std::atomic<std::uint64_t> running[256] = {};
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// A child, which runs one seed after the other.
struct Share {
  std::atomic<std::uint64_t>* running = nullptr;
  pid_t pid = 0;
  int fd = -1;
  std::string unread;
};

class Runner {
 public:
  explicit Runner(const RunnerOptions& options) : options_(options), began_(Clock::now()) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const std::uint64_t jobs =
        options.jobs > 0 ? options.jobs : static_cast<std::uint64_t>(std::max(1L, cores));
    least_ = options.first + options.seeds;
    void* shared =
        mmap(nullptr, sizeof(Desk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) std::exit(1);
    desk_ = new (shared) Desk;
    desk_->next = options.first;
    shares_.resize(std::min<std::uint64_t>(jobs, std::size(desk_->running)));
    for (std::size_t i = 0; i < shares_.size(); ++i) shares_[i].running = &desk_->running[i];
  }

  int run() {
    for (Share& share : shares_) begin(share);
    while (wait_for_news()) show_progress();
    return conclude();
  }

 private:
  bool is_wanted(std::uint64_t seed) const {
    return seed < least_ || Clock::now() - began_ < std::chrono::seconds(options_.seconds);
  }

  void begin(Share& share) {
    if (!is_wanted(desk_->next)) return;
    int ends[2];
    if (pipe(ends) != 0) std::exit(1);
    std::fflush(stdout);
    share.pid = fork();
    if (share.pid == 0) {
      close(ends[0]);
      std::signal(SIGABRT, on_abort);
      for (std::uint64_t seed = desk_->next++; is_wanted(seed); seed = desk_->next++) {
        *share.running = seed;
        const Report report = run_seed(options_, seed);
        if (write(ends[1], &report, sizeof report) != sizeof report) _exit(1);
      }
      _exit(0);
    }
    close(ends[1]);
    share.fd = ends[0];
    share.unread.clear();
  }

  // False once all are done.
  bool wait_for_news() {
    std::vector<pollfd> fds;
    std::vector<Share*> of;
    for (Share& share : shares_) {
      if (share.fd < 0) continue;
      fds.push_back({share.fd, POLLIN, 0});
      of.push_back(&share);
    }
    if (fds.empty()) return false;
    if (poll(fds.data(), fds.size(), 1000) < 0) return true;
    for (std::size_t i = 0; i < fds.size(); ++i)
      if (fds[i].revents != 0) read_from(*of[i]);
    return true;
  }

  void read_from(Share& share) {
    char bytes[16 * sizeof(Report)];
    const ssize_t n = read(share.fd, bytes, sizeof bytes);
    if (n > 0) {
      share.unread.append(bytes, static_cast<std::size_t>(n));
      while (share.unread.size() >= sizeof(Report)) take(share);
      return;
    }
    close(share.fd);
    share.fd = -1;
    int status = 0;
    waitpid(share.pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    // An assertion or a crash costs one seed, and the rest go on.
    fail(static_cast<std::uint64_t>(Invariant::assertion));
    const std::uint64_t seed = *share.running;
    std::printf("seed %llu; replay it: %s\n", ull(seed), replay(options_, seed).c_str());
    begin(share);
  }

  void take(Share& share) {
    Report report;
    std::copy_n(share.unread.data(), sizeof report, reinterpret_cast<char*>(&report));
    share.unread.erase(0, sizeof report);
    simulated_us_ += report.simulated_us;
    real_us_ += report.real_us;
    quick_ += report.quick;
    coverage_.add(report.coverage);
    if (report.invariant == 0)
      ++passed_;
    else
      fail(report.invariant);
  }

  void fail(std::uint64_t invariant) {
    ++failed_;
    if (first_broken_ == 0) first_broken_ = invariant;
  }

  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

  void show_progress() {
    const auto every =
        isatty(STDERR_FILENO) != 0 ? std::chrono::seconds(1) : std::chrono::seconds(30);
    if (options_.hashes || Clock::now() - shown_ < every) return;
    shown_ = Clock::now();
    const std::uint64_t done = passed_ + failed_;
    if (done == 0) return;
    const double rate = 60.0 * static_cast<double>(done) / seconds();
    if (options_.seconds > 0)
      std::fprintf(stderr, "%llu seeds, %llu failed, %.0f a minute, %.0f of %llu s\n", ull(done),
                   ull(failed_), rate, seconds(), ull(options_.seconds));
    else
      std::fprintf(stderr, "%llu of %llu seeds, %llu failed, %.0f a minute\n", ull(done),
                   ull(options_.seeds), ull(failed_), rate);
  }

  int conclude() {
    if (options_.hashes) return failed_ == 0 ? 0 : 1;
    const std::uint64_t done = passed_ + failed_;
    const std::vector<std::string> missing = coverage_.missing();
    if (options_.coverage) {
      for (const std::string& line : coverage_.lines()) std::printf("%s\n", line.c_str());
      for (const std::string& name : missing) std::printf("never seen: %s\n", name.c_str());
    }
    std::printf(
        "%.1f s, seeds from %llu on, %.0f a minute, %.0f simulated seconds a second and core\n",
        seconds(), ull(options_.first), 60.0 * static_cast<double>(done) / seconds(),
        static_cast<double>(simulated_us_) /
            static_cast<double>(std::max<std::uint64_t>(1, real_us_)));
    std::printf("%zu kinds of rare things never seen, a leader within 3 timeouts in %.1f%%\n",
                missing.size(),
                done == 0 ? 0.0 : 100.0 * static_cast<double>(quick_) / static_cast<double>(done));
    std::printf("%llu passed, %llu failed\n", ull(passed_), ull(failed_));
    if (first_broken_ != 0) return exit_status(static_cast<Invariant>(first_broken_));
    return options_.coverage && !missing.empty() ? 1 : 0;
  }

  const RunnerOptions& options_;
  const Clock::time_point began_;
  Clock::time_point shown_ = Clock::now();
  std::uint64_t least_ = 0;  // up to here in any case
  Desk* desk_ = nullptr;
  std::vector<Share> shares_;
  std::uint64_t passed_ = 0, failed_ = 0, quick_ = 0;
  std::uint64_t simulated_us_ = 0, real_us_ = 0;  // of all seeds together
  std::uint64_t first_broken_ = 0;
  Coverage coverage_;
};

}  // namespace

int run_alone(const RunnerOptions& options) {
  std::signal(SIGABRT, on_abort);
  const Report report = run_seed(options, *options.alone);
  if (options.hashes) return 0;
  if (options.coverage)
    for (const std::string& line : report.coverage.lines()) std::printf("%s\n", line.c_str());
  const bool passed = report.invariant == 0;
  std::printf("%d passed, %d failed\n", passed ? 1 : 0, passed ? 0 : 1);
  return passed ? 0 : exit_status(static_cast<Invariant>(report.invariant));
}

int run_many(const RunnerOptions& options) { return Runner(options).run(); }

}  // namespace zatt::sim
