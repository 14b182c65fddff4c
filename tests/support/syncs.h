// SPDX-License-Identifier: AGPL-3.0-or-later
// Syncs of this process that fail when a test says so, as those of a dying disk do.
#pragma once

#include <atomic>

namespace zatt::test {

extern std::atomic<bool> syncs_fail;

}  // namespace zatt::test
