// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/commit.h"

#include "base/assert.h"

namespace zatt::raft {

Index advance_commit(Index commit_index, Term current_term, const Log& log, Index stored) {
  ZATT_ASSERT(stored <= log.last_index());  // a leader counts only entries it holds
  if (stored <= commit_index) return commit_index;

  // Paper 5.4.2, figure 8: a majority may hold an entry of an older term and still lose it to
  // another leader. Only an entry of our own term settles what is below.
  const Term term = log.term_at(stored);
  ZATT_ASSERT(term <= current_term);
  return term == current_term ? stored : commit_index;
}

}  // namespace zatt::raft
