// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/random_seed.h"

#include <sys/random.h>

#include "base/assert.h"

namespace zatt {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  const int rc = getentropy(&seed, sizeof seed);
  ZATT_ASSERT(rc == 0);
  return seed;
}

}  // namespace zatt
