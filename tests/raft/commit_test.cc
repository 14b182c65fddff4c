// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/commit.h"

#include <doctest/doctest.h>

namespace zatt::raft {

TEST_CASE("advance_commit: figure 8, and what else a leader may call committed") {
  // Index 1 is of term 1, 2 of term 2, 3 and 4 of term 4.
  Log log;
  for (const unsigned term : {1U, 2U, 4U, 4U}) log.append(Term{term}, 0, EntryKind::command, "x");
  struct Row {
    const char* why;
    std::uint64_t commit_index, current_term, stored, want;
  };
  const Row rows[] = {
      {"figure 8 (c): a majority holds an entry of term 2, the leader is of term 4", 1, 4, 2, 1},
      {"figure 8 (e): an entry of its own term settles what is below", 1, 4, 3, 3},
      {"the last one, too", 1, 4, 4, 4},
      {"of an older term, though it is the last", 2, 5, 4, 2},
      {"nothing new", 3, 4, 3, 3},
      {"never back", 4, 4, 3, 4},
      {"nothing stored yet", 0, 4, 0, 0},
      {"the entry of term 2 was the leader's own in term 2", 1, 4, 1, 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(advance_commit(Index{row.commit_index}, Term{row.current_term}, log, Index{row.stored}) ==
          Index{row.want});
  }
}

}  // namespace zatt::raft
