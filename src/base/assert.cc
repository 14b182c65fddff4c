// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace zatt {

void assertion_failed(const char* text, const char* file, int line) noexcept {
  std::fprintf(
      stderr,
      "zatt: a bug of ours: `%s` does not hold at %s:%d. This process stops here, before it "
      "can do harm; the others carry on.\n",
      text, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace zatt
