// SPDX-License-Identifier: AGPL-3.0-or-later
// Asks every member itself for its status, all at the same time.
#pragma once

#include <string>
#include <vector>

#include "cli/cluster_status.h"
#include "cli/interrupts.h"

namespace zatt::cli {

struct Look {
  std::vector<Asked> asked;
  std::string wrong;         // with what was given, or ""
  bool interrupted = false;  // ^C: not all have had their time
};

// `servers` as after --servers; whoever they name as members is asked, too. Each has timeout_ms,
// and as much again where the leader they speak of does not answer.
Look look_at_all(const std::string& servers, int timeout_ms, const Interrupts& interrupts);

}  // namespace zatt::cli
