// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/random_seed.h"

#include <doctest/doctest.h>

using namespace zatt;

TEST_CASE("random_seed: another one each time") { CHECK(random_seed() != random_seed()); }
