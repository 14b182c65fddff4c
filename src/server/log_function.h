// SPDX-License-Identifier: AGPL-3.0-or-later
// Where a line for the log goes.
#pragma once

#include <functional>
#include <string_view>

#include "node/env.h"

namespace zatt::server {

using LogFunction = std::function<void(node::LogLevel level, std::string_view line)>;

}  // namespace zatt::server
