// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/assert.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/last_words.h"

namespace zatt {

void assertion_failed(const char* text, const char* file, int line) noexcept {
  char said[1024];
  const int size = std::snprintf(
      said, sizeof said,
      "zatt: a bug of ours: `%s` does not hold at %s:%d. This process stops here, before it "
      "can do harm; the others carry on.\n",
      text, file, line);
  last_words({said, std::min(static_cast<std::size_t>(std::max(size, 0)), sizeof said - 1)});
  std::abort();
}

}  // namespace zatt
