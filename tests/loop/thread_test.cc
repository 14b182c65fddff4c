// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/thread.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

using zatt::loop::has_threads;

namespace {

rlim_t mapped_bytes() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  REQUIRE(pages > 0);
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("threads: whether the system has so many to give is known before they are asked for") {
  CHECK(has_threads(0));
  CHECK(has_threads(4));
  // Room for what a sanitizer keeps of a thread, and for no stack.
  const rlim_t bytes = mapped_bytes() + (1 << 20);
  const rlimit no_stack{bytes, bytes};
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    setrlimit(RLIMIT_AS, &no_stack);
    _exit(has_threads(64) ? 1 : 0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
