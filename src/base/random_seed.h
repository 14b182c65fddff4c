// SPDX-License-Identifier: AGPL-3.0-or-later
// The one thing in a program that nobody can foresee. Nothing that a simulation runs asks for it:
// whoever stands on the real world seeds a Prng with it.
#pragma once

#include <cstdint>

namespace zatt {

// From the kernel; always succeeds.
std::uint64_t random_seed();

}  // namespace zatt
