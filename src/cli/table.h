// SPDX-License-Identifier: AGPL-3.0-or-later
// Writes a cluster's status as text: a table for people, one JSON object for programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/cluster_status.h"

namespace zatt::cli {

// `colour`: with the escapes of a terminal.
std::string table_of(const ClusterStatus& status, bool colour);
std::string json_of(const ClusterStatus& status);
std::string json_of_notices(const std::vector<std::string>& notices);  // a member of an object

std::string duration_of(std::uint64_t seconds);  // "3d", "5h", "12m", "7s"

}  // namespace zatt::cli
