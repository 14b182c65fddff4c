// SPDX-License-Identifier: AGPL-3.0-or-later
// The one checksum of files and frames: XXH3, 64 bits, with a key.
//
// The key says where the bytes belong (a segment's id, a connection), so that bytes from
// elsewhere do not check even when they are whole.
#pragma once

#include <cstdint>
#include <string_view>

namespace zatt {

std::uint64_t checksum(std::string_view bytes, std::uint64_t key);

// One key out of two numbers.
std::uint64_t checksum_key(std::uint64_t a, std::uint64_t b);

}  // namespace zatt
