// SPDX-License-Identifier: AGPL-3.0-or-later
// A frame in the paper's words, for the trace.
#pragma once

#include <string>
#include <string_view>

namespace zatt::sim {

std::string describe_frame(std::string_view frame);

}  // namespace zatt::sim
