// SPDX-License-Identifier: AGPL-3.0-or-later
#include "config/machine_memory.h"

#include <doctest/doctest.h>
#include <unistd.h>

namespace zatt::config {

TEST_CASE("machine memory: no more than the machine has") {
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  CHECK(machine_memory_bytes() <= pages * page);
  CHECK(machine_memory_bytes() > 1 << 20);
}

}  // namespace zatt::config
