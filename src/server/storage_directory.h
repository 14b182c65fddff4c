// SPDX-License-Identifier: AGPL-3.0-or-later
// Where a node's files are: made where it is not there, and refused where it is somebody else's.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace zatt::server {

// Its descriptor. `lock_name` is a file of ours that says nothing of what else is there. A missing
// parent is not made: where a disk is not mounted it is missing too.
Result<int> open_storage_directory(const std::string& path, std::string_view lock_name);

}  // namespace zatt::server
