// SPDX-License-Identifier: AGPL-3.0-or-later
// What may be held for clients (max_buffer_bytes), in shares that cannot starve each other: whoever
// waits for room in one never keeps another's from being given back.
//
// Within a share, one client may take as much as is still free (Choudhury and Hahne, "Dynamic queue
// length thresholds for shared-memory packet switches", 1998): alone it gets half, of many each a
// little, and room is left for who comes new.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace zatt::node {

// What a client costs that asks nothing, its connection included.
inline constexpr std::uint64_t idle_client_bytes = 2 << 10;

struct BufferShares {
  std::uint64_t requests = 0;   // lines begun, and requests until they are answered
  std::uint64_t responses = 0;  // made, and not read
};

constexpr BufferShares buffer_shares(std::uint64_t max_buffer_bytes, std::size_t clients) {
  const std::uint64_t idle = std::min(clients * idle_client_bytes, max_buffer_bytes / 2);
  const std::uint64_t half = (max_buffer_bytes - idle) / 2;
  return {half, half};
}

// What is free of a share of which so much is taken.
constexpr std::uint64_t free_of(std::uint64_t share, std::uint64_t taken) {
  return share - std::min(share, taken);
}

}  // namespace zatt::node
