// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt-sim: runs seeds, each a cluster's bad day, and says which did not end well.
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/cluster.h"

namespace {

constexpr const char* help =
    "zatt-sim: whole nodes over a simulated network, disk and clock, from one seed each\n"
    "\n"
    "  --seeds N     run N seeds (default 200)\n"
    "  --first S     from this one on (default 1)\n"
    "  --seed S      run this one alone and tell what happens; the same seed, the same day\n"
    "  --jobs N      at once (default 2)\n"
    "\n"
    "The last line says how many passed and failed. Exit status: 0 all passed, 1 not, 2 usage.\n";

std::uint64_t running_seed = 0;

void say_replay(std::uint64_t seed) {
  std::printf("replay it with: zatt-sim --seed %llu\n", static_cast<unsigned long long>(seed));
}

extern "C" void on_abort(int) {  // an assertion of ours did not hold: name the seed, then die
  char text[64];
  const int n = std::snprintf(text, sizeof text, "seed %llu: aborted\n",
                              static_cast<unsigned long long>(running_seed));
  if (n > 0) static_cast<void>(!write(STDOUT_FILENO, text, static_cast<std::size_t>(n)));
  std::signal(SIGABRT, SIG_DFL);
}

bool run_seed(std::uint64_t seed, bool verbose) {
  running_seed = seed;
  const zatt::sim::Settings settings = zatt::sim::draw_settings(seed);
  if (verbose)
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed),
                to_string(settings).c_str());
  zatt::sim::Cluster cluster(settings, verbose);
  const auto wrong = cluster.run();
  if (verbose || wrong)
    std::printf("seed %llu: %s (%s, trace %016llx)\n", static_cast<unsigned long long>(seed),
                wrong ? wrong->c_str() : "all held", cluster.summary().c_str(),
                static_cast<unsigned long long>(cluster.trace_hash()));
  if (wrong) say_replay(seed);
  std::fflush(stdout);
  return !wrong;
}

// Seeds first, first + step, ... below end, in a child: it lives on past a seed that aborts.
struct Share {
  std::uint64_t next = 0, end = 0, step = 1;
  std::uint64_t passed = 0, failed = 0;
  pid_t pid = 0;
  int fd = -1;
};

void begin(Share& share) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(1);
  std::fflush(stdout);
  share.pid = fork();
  if (share.pid == 0) {
    close(ends[0]);
    std::signal(SIGABRT, on_abort);
    for (std::uint64_t seed = share.next; seed < share.end; seed += share.step) {
      const char passed = run_seed(seed, false) ? 1 : 0;
      if (write(ends[1], &passed, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  share.fd = ends[0];
}

// Reads what the child tells until it ends; an abort costs one seed, and the rest go on.
void gather(Share& share) {
  while (true) {
    char passed = 0;
    while (read(share.fd, &passed, 1) == 1) {
      ++(passed != 0 ? share.passed : share.failed);
      share.next += share.step;
    }
    close(share.fd);
    int status = 0;
    waitpid(share.pid, &status, 0);
    if (share.next >= share.end) return;
    ++share.failed;
    say_replay(share.next);
    share.next += share.step;
    if (share.next >= share.end) return;
    begin(share);
  }
}

int run_seeds(std::uint64_t first, std::uint64_t seeds, std::uint64_t jobs) {
  const auto began = std::chrono::steady_clock::now();
  std::vector<Share> shares(jobs);
  for (std::uint64_t i = 0; i < jobs; ++i) {
    shares[i].next = first + i;
    shares[i].end = first + seeds;
    shares[i].step = jobs;
    if (shares[i].next < shares[i].end) begin(shares[i]);
  }
  std::uint64_t passed = 0, failed = 0;
  for (Share& share : shares) {
    if (share.fd >= 0) gather(share);
    passed += share.passed;
    failed += share.failed;
  }
  const auto took = std::chrono::steady_clock::now() - began;
  std::printf("%.1f s, seeds %llu to %llu\n", std::chrono::duration<double>(took).count(),
              static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + seeds - 1));
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seeds = 200, first = 1, jobs = 2;
  std::optional<std::uint64_t> alone;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help" || flag == "-h") {
      std::fputs(help, stdout);
      return 0;
    }
    std::uint64_t value = 0;
    const char* text = i + 1 < argc ? argv[i + 1] : "";
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    const bool number = error == std::errc{} && stop == end;
    const bool known =
        flag == "--seeds" || flag == "--first" || flag == "--seed" || flag == "--jobs";
    if (!known || !number) {
      std::fprintf(stderr, "%s\n\n%s",
                   known ? (std::string(flag) + " wants a number").c_str()
                         : ("unknown option " + std::string(flag)).c_str(),
                   help);
      return 2;
    }
    ++i;
    if (flag == "--seeds") seeds = value;
    if (flag == "--first") first = value;
    if (flag == "--seed") alone = value;
    if (flag == "--jobs") jobs = value == 0 ? 1 : value;
  }
  if (!alone) return run_seeds(first, seeds, jobs);
  std::signal(SIGABRT, on_abort);
  const bool passed = run_seed(*alone, true);
  std::printf("%d passed, %d failed\n", passed ? 1 : 0, passed ? 0 : 1);
  return passed ? 0 : 1;
}
