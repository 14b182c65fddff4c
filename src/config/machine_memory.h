// SPDX-License-Identifier: AGPL-3.0-or-later
// How much memory this process may count on.
#pragma once

#include <cstdint>

namespace zatt::config {

// The machine's, or its control group's limit where that is less. Any thread.
std::uint64_t machine_memory_bytes();

}  // namespace zatt::config
