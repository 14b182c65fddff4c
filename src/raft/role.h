// SPDX-License-Identifier: AGPL-3.0-or-later
// What a server is at the moment, and what it knows as such (paper 5.1, thesis 9.6).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <variant>

#include "base/types.h"
#include "raft/progress.h"
#include "raft/read_queue.h"

namespace zatt::raft {

struct Follower {
  std::optional<MemberId> leader;
  std::uint64_t last_contact_us =
      never_us;                        // by the leader; never: none, or its connection has closed
  std::uint64_t unanswered_bytes = 0;  // of entries that have arrived since its last answer
};
struct PreCandidate {
  std::set<MemberId> votes;
};
struct Candidate {
  std::set<MemberId> votes;
  WriteNumber own_vote_write{};  // counted once this is durable; 0: it is
};
struct Leader {
  struct Mark {  // where the log ended at a time
    std::uint64_t at_us = 0;
    Index last{};
  };
  std::map<MemberId, Progress> progress;  // of everybody else who gets the log
  Index noop_index{};                     // its first entry (thesis 6.4)
  std::uint64_t heartbeat_at_us = 0;
  std::uint64_t check_quorum_at_us = 0;
  std::uint64_t full_since_us = 0;  // only while its disk has too little space
  std::deque<Mark> marks;  // ascending: the first as old as a voter may be behind (pace.cc)
  ReadQueue reads;
};

using Role = std::variant<Follower, PreCandidate, Candidate, Leader>;

}  // namespace zatt::raft
