// SPDX-License-Identifier: AGPL-3.0-or-later
// The configurations in the log, of which the last is in force, committed or not (thesis 4.1).
//
// A truncation that takes the last one away puts the one before it in force again.
#pragma once

#include <utility>
#include <vector>

#include "base/types.h"
#include "raft/configuration.h"

namespace zatt::raft {

class ConfigurationHistory {
 public:
  // An entry that the log has got. Those of other kinds are ignored; the body is decoded, and has
  // to be a configuration's.
  void append(const EntryView& entry);
  // The log ends at `last` from here on.
  void truncate(Index last);

  // Empty before the first. Valid until the next append or truncate.
  const Configuration& in_force() const;
  // Of the entry that holds it; 0 before the first.
  Index index() const;

 private:
  std::vector<std::pair<Index, Configuration>> configurations_;  // ascending by index
};

}  // namespace zatt::raft
