// SPDX-License-Identifier: AGPL-3.0-or-later
// What a server must find again after a crash, but for its log: its term, its vote and its floor.
#pragma once

#include <optional>

#include "base/types.h"

namespace zatt::raft {

// After damage: until the log is at or past this, its server starts no election, and votes only for
// logs at or past it.
//
// The floor is open where the damage took the end of what was promised: nobody can say how far that
// went. All of it was promised to leaders of terms up to open_term, the current_term then. A log
// whose last entry is of a later term holds what was committed of it (paper 5.4.3, leader
// completeness), and so does the log of a leader of that term or a later one, up to the end that it
// names now. So the vote goes to no other log, and nobody campaigns, until that end is reached.
struct Floor {
  Term term{};
  Index index{};
  std::optional<Term> open_term{};

  bool is_set() const { return index > Index{0} || open_term; }
  friend bool operator==(const Floor&, const Floor&) = default;
};

// Figure 2, "persistent state", but for the log.
struct HardState {
  Term current_term{};
  std::optional<MemberId> voted_for;
  Floor floor{};

  friend bool operator==(const HardState&, const HardState&) = default;
};

}  // namespace zatt::raft
