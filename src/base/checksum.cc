// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/checksum.h"

#include <xxhash.h>

#include "base/bytes.h"

namespace zatt {

std::uint64_t checksum(std::string_view bytes, std::uint64_t key) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), key);
}

std::uint64_t checksum_key(std::uint64_t a, std::uint64_t b) {
  char data[16];
  store_le(data, a);
  store_le(data + 8, b);
  return XXH3_64bits(data, sizeof data);
}

}  // namespace zatt
