// SPDX-License-Identifier: AGPL-3.0-or-later
// A message, or the frame with one, in the paper's words, for the trace.
#pragma once

#include <string>
#include <string_view>

#include "raft/message.h"

namespace zatt::sim {

std::string describe(const raft::Message& message);

std::string describe_frame(std::string_view frame);

}  // namespace zatt::sim
