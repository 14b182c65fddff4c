// SPDX-License-Identifier: AGPL-3.0-or-later
// Which zatt this is: for --version, the log and status.
#pragma once

#include <string_view>

namespace zatt {

inline constexpr std::string_view version_text = "0.1.0";

}  // namespace zatt
