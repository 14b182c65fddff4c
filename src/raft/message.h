// SPDX-License-Identifier: AGPL-3.0-or-later
// What servers say to each other about the log and its leadership, as plain values.
//
// The paper's remote procedure calls (figure 2) as one-way messages, with the thesis' PreVote (9.6)
// and TimeoutNow (3.10). AppendEntries carries entries and checks logs; Heartbeat is split off so
// that its answer never waits for a disk longer than its term does.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/types.h"

namespace zatt::raft {

struct RequestVote {
  Term term{};  // the candidate's; of a pre-vote: the one it would take
  Index last_log_index{};
  Term last_log_term{};
  bool pre_vote = false;
};

struct VoteReply {
  Term term{};  // the voter's; of a granted pre-vote: the one asked for
  bool granted = false;
  bool pre_vote = false;
};

struct AppendEntries {
  Term term{};
  Index prev_log_index{};
  Term prev_log_term{};
  Index leader_commit{};
  std::vector<EntryView> entries;  // borrowed: until the next step of the sender
};

struct AppendReply {
  Term term{};
  bool success = false;
  Index match_index{};     // stored durably and the same as the leader's, up to here
  Index received_index{};  // in memory and the same as the leader's, up to here
  Index rejected{};        // of a refusal: the prev_log_index refused,
  Index hint_index{};      // and where the logs may meet: the follower's last entry at or below it
  Term hint_term{};        // whose term is not above prev_log_term
  DiskSpace room = DiskSpace::enough;  // the sender's disk
  std::uint64_t takes = UINT64_MAX;    // bytes of entries that it still takes, after received_index
};

struct Heartbeat {
  Term term{};
  Index leader_commit{};
  std::uint64_t round = 0;  // of the reads that wait to hear that this leader still leads
  Index last_index{};       // of the leader's log: what a voter whose floor is open must reach
};

struct HeartbeatReply {
  Term term{};
  std::uint64_t round = 0;
  Index match_index{};
  Index received_index{};
  DiskSpace room = DiskSpace::enough;
  std::uint64_t takes = UINT64_MAX;
};

struct TimeoutNow {
  Term term{};
};

using Message = std::variant<RequestVote, VoteReply, AppendEntries, AppendReply, Heartbeat,
                             HeartbeatReply, TimeoutNow>;

inline Term term_of(const Message& message) {
  return std::visit([](const auto& m) { return m.term; }, message);
}

struct Envelope {
  MemberId to;
  Message message;
};

}  // namespace zatt::raft
