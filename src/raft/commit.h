// SPDX-License-Identifier: AGPL-3.0-or-later
// When may a leader call an entry committed?
//
// This file is the only answer. Everything else in raft/ asks it, so the rule that is easiest to
// get wrong in Raft has one place to be read, asserted and tested.
#pragma once

#include "base/types.h"
#include "raft/log.h"

namespace zatt::raft {

// The leader's commit_index after hearing that a quorum stores everything up to `stored`. Never
// below commit_index.
Index advance_commit(Index commit_index, Term current_term, const Log& log, Index stored);

}  // namespace zatt::raft
