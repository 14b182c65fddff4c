// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/checksum.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt;

TEST_CASE("checksum: what files and frames hold stays what it was") {
  CHECK(checksum("", 0) == 0x2d06800538d394c2);  // XXH3's own published vector
  CHECK(checksum("zatt", 0) == 0xc6cf89b1de96feca);
  CHECK(checksum("zatt", 1) == 0x87327d88eca9dc5f);
  CHECK(checksum(std::string(1000, 'z'), 7) == 0xb0018fe052fb1c6f);
  CHECK(checksum_key(1, 2) == 0x07ee86c281446bef);
}

TEST_CASE("checksum: every bit of bytes and key counts") {
  const std::string bytes = "the quick brown fox";
  const std::uint64_t sum = checksum(bytes, 9);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string other = bytes;
    other[bit / 8] = static_cast<char>(static_cast<unsigned>(other[bit / 8]) ^ (1U << bit % 8));
    CHECK(checksum(other, 9) != sum);
  }
  for (int bit = 0; bit < 64; ++bit) CHECK(checksum(bytes, 9 ^ (1ULL << bit)) != sum);
  CHECK(checksum(bytes + '\0', 9) != sum);
}

TEST_CASE("checksum: a key of two numbers tells them apart") {
  CHECK(checksum_key(1, 2) != checksum_key(2, 1));
  CHECK(checksum_key(0, 0) != checksum_key(0, 1));
}
