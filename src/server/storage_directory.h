// SPDX-License-Identifier: AGPL-3.0-or-later
// Where a node's files are: made where it is not there, and refused where it is somebody else's.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace zatt::server {

inline constexpr std::string_view lock_name = "lock";  // a file of ours, whose content says nothing

// What the system said just now (errno), while doing `what`.
Error system_error(const char* what, const std::string& detail);

// Its descriptor. Before there is a hard state in it, its own name is durable, whoever has made it.
// A missing parent is not made: where a disk is not mounted it is missing too.
Result<int> open_storage_directory(const std::string& path);

}  // namespace zatt::server
