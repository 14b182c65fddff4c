// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/kernel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace zatt::json {

TEST_CASE("kernel: the plain one can always be had") {
  const std::string before(kernel());
  const std::vector<std::string> all = kernels();
  CHECK(std::count(all.begin(), all.end(), before) == 1);
  REQUIRE(use_kernel("fallback"));
  CHECK(kernel() == "fallback");
  CHECK_FALSE(use_kernel("no such"));
  CHECK(kernel() == "fallback");
  REQUIRE(use_kernel(before));
}

}  // namespace zatt::json
