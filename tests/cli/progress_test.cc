// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/progress.h"

#include <doctest/doctest.h>

using namespace zatt::cli;

TEST_CASE("bar") {
  CHECK(bar("imported", 0, 10, 0) == "[..............................]   0%  imported 0");
  CHECK(bar("imported", 5, 10, 7) == "[###############...............]  50%  imported 7");
  CHECK(bar("imported", 10, 10, 9) == "[##############################] 100%  imported 9");
  CHECK(bar("imported", 99, 10, 9) == "[##############################] 100%  imported 9");
  CHECK(bar("imported", 99, 0, 9) == "imported 9");
}
