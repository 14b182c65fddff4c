// SPDX-License-Identifier: AGPL-3.0-or-later
// How a mutant shows that its wrong step was taken: ZATT_MUTANT_REACHED() leaves an empty file
// where the environment names one, and does nothing that a simulation could notice.
//
// tools/mutants.py puts this at the top of the copy it changes; nothing else includes it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace zatt::mutants {

inline bool leave_mark() noexcept {
  const char* path = std::getenv("ZATT_MUTANT_REACHED");
  const int fd = path == nullptr ? -1 : ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

inline void reached() noexcept { [[maybe_unused]] static const bool marked = leave_mark(); }

}  // namespace zatt::mutants

#define ZATT_MUTANT_REACHED() ::zatt::mutants::reached()

// A mutant may leave behind what nobody needs any more.
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-function"
