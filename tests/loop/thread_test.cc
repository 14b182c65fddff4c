// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/thread.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using zatt::loop::has_threads;

TEST_CASE("threads: whether the system has so many to give is known before they are asked for") {
  CHECK(has_threads(0));
  CHECK(has_threads(4));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit none{1, 1};  // bytes: no stack is to be had
    setrlimit(RLIMIT_AS, &none);
    _exit(has_threads(64) ? 1 : 0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
