// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/syncs.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace zatt::test {

std::atomic<bool> syncs_fail = false;

}  // namespace zatt::test

// In place of the system library's, for all that is linked to the tests.
extern "C" int fdatasync(int fd) {
  if (!zatt::test::syncs_fail) return static_cast<int>(syscall(SYS_fdatasync, fd));
  errno = EIO;
  return -1;
}
