// SPDX-License-Identifier: AGPL-3.0-or-later
// Of the long runs over all states, sanitized code, which is slow, takes one part in so many.
#pragma once

#include <cstdint>

namespace zatt::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::uint64_t part = 16;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr std::uint64_t part = 16;
#else
inline constexpr std::uint64_t part = 1;
#endif
#else
inline constexpr std::uint64_t part = 1;
#endif

}  // namespace zatt::test
