// SPDX-License-Identifier: AGPL-3.0-or-later
// A number in a narrower type, which it is known to fit: where a size has 32 bits, 64-bit offsets
// and lengths do not become sizes by themselves.
#pragma once

#include <utility>

#include "base/assert.h"

namespace zatt {

template <class To, class From>
constexpr To narrow(From n) {
  ZATT_ASSERT(std::in_range<To>(n));
  return static_cast<To>(n);
}

}  // namespace zatt
