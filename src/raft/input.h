// SPDX-License-Identifier: AGPL-3.0-or-later
// What can happen to a server: the events that Raft::step() takes, each with the time it came at.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"
#include "raft/configuration.h"
#include "raft/message.h"

namespace zatt::raft {

struct Tick {};  // time has passed
struct Received {
  MemberId from;
  const Message* message = nullptr;  // borrowed for the step
};
struct PeerUp {  // a connection to this server. Another boot id: forget what its log held
  MemberId server;
  BootId boot_id{};
};
struct PeerDown {
  MemberId server;
};
struct Proposal {
  EntryKind kind = EntryKind::command;
  std::string body;
};
// What is asked of a leader names the term in which it was found to lead; in any other the core
// refuses it, for what was asked and answered before may be undone by then.
struct Propose {  // see Output::proposed
  Term term{};
  std::vector<Proposal> proposals;
};
struct Persisted {  // every write up to this number is durable
  WriteNumber write{};
};
struct Fetched {  // of the answer to Output::fetches, the next piece; entries may be fewer than
  std::uint64_t number = 0;  // asked, or none
  std::vector<EntryView> entries;
  bool is_last = true;  // nothing more comes of it
};
struct ReadRequest {
  std::uint64_t id = 0;
  bool to_log_end = false;  // see also what the leader has not committed: it settles it
};
struct ReadRequests {  // refused: each is answered unconfirmed
  Term term{};
  std::vector<ReadRequest> reads;
};
struct Applied {  // the state machine has applied up to here; bodies below may be forgotten
  Index index{};
};
struct Bootstrap {  // the first configuration, stored by all its members; the log is empty
  Configuration configuration;
};
struct AbandonBootstrap {};  // that configuration is given up for another's; in term 0 only
struct TransferLeadership {  // stop leading, in favour of the follower with the longest log
  Term term{};
};
struct LeaderCommit {  // the leader of this term said so, with a read's index
  Term term{};
  Index leader_commit{};
};
struct DiskSpaceChanged {  // the disk's; append replies say it
  DiskSpace room = DiskSpace::enough;
};

struct Input {
  std::uint64_t now_us = 0;   // monotonic: every deadline's clock
  std::uint64_t wall_us = 0;  // since 1970, may be wrong and jump: what a leader's entries carry
  std::variant<Tick, Received, PeerUp, PeerDown, Propose, Persisted, Fetched, ReadRequests, Applied,
               Bootstrap, AbandonBootstrap, TransferLeadership, LeaderCommit, DiskSpaceChanged>
      event;
};

}  // namespace zatt::raft
