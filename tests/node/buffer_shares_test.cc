// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/buffer_shares.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace zatt::node {

TEST_CASE("buffer shares: idle clients count, and leave half") {
  CHECK(buffer_shares(64 << 20, 0).requests == 32 << 20);
  CHECK(buffer_shares(64 << 20, 0).responses == 32 << 20);
  CHECK(buffer_shares(64 << 20, 10'000).responses == (64 << 20) / 2 - 10'000 * 1024);
  CHECK(buffer_shares(64 << 20, 1'000'000).responses == 16 << 20);
  CHECK(free_of(10, 3) == 7);
  CHECK(free_of(10, 11) == 0);
}

TEST_CASE("buffer shares: of what is free, many who take all that they may leave some") {
  constexpr std::uint64_t share = 1'000'000;
  for (const std::size_t clients : {1U, 2U, 10U, 1000U}) {
    std::vector<std::uint64_t> held(clients);
    const auto all = [&] { return std::accumulate(held.begin(), held.end(), std::uint64_t{0}); };
    for (bool moved = true; std::exchange(moved, false);)
      for (std::uint64_t& bytes : held)
        if (bytes + 100 <= free_of(share, all())) {
          bytes += 100;
          moved = true;
        }
    CHECK(free_of(share, all()) + 100 >= share / (clients + 1));  // for who comes new
    CHECK(*std::min_element(held.begin(), held.end()) + 200 >= share / (clients + 1));
  }
}

}  // namespace zatt::node
