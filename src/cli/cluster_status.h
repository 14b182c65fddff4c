// SPDX-License-Identifier: AGPL-3.0-or-later
// The state of a cluster, put together from what each of its members answers to `status`.
//
// A function of the answers, without sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zatt::cli {

struct MemberView {  // what one server says of a member
  std::string id;
  std::string address;  // "host:port"
  bool voter = false;
  bool connected = false;
  std::optional<std::uint64_t> match_index;  // where the leader says it
  std::string notice;
};

struct Answer {  // to "status"
  std::string node;
  std::string role;
  std::uint64_t term = 0;
  std::string leader;  // "": none
  std::uint64_t commit = 0;
  std::uint64_t last = 0;
  std::vector<MemberView> members;
  std::uint64_t keys = 0;
  std::string version;
  std::uint64_t uptime_s = 0;
  std::string cluster;
  std::string notice;
  bool disk_is_full = false;
};
std::optional<Answer> to_answer(std::string_view line);

// One server that was asked.
struct Asked {
  std::string address;           // "host:port"
  std::optional<Answer> answer;  // nothing: it gave none
  std::string why;               // it gave none
};

struct Row {
  std::string id;  // "": nobody knows
  std::string address;
  bool member = true;
  bool voter = false;
  bool leads = false;
  const Answer* answer = nullptr;  // nullptr: not reached
  std::string why;                 // not reached
  std::optional<std::uint64_t> lag;
  std::vector<std::string> notices;
};

struct ClusterStatus {
  std::string cluster;
  std::string leader;  // "": none
  std::uint64_t term = 0;
  std::uint64_t keys = 0;
  std::size_t voters = 0;
  std::size_t reached = 0;  // of the voters, by us
  bool quorum = false;      // there is a leader, and a majority is there, for us or for it
  bool whole = false;       // and nothing is wrong with anyone
  std::vector<Row> rows;
};

bool is_troubled(const Row& row);
std::string_view state_of(const ClusterStatus& status);  // "ok", "degraded", "down"

// Rows borrow from `asked`.
ClusterStatus cluster_status_of(const std::vector<Asked>& asked);

// A majority of the voters has answered, and has room on its disks: a write that was refused for
// want of room can be done once one of them leads.
bool can_take_writes(const ClusterStatus& status);

// Members that somebody names, but nobody has been asked at their address.
std::vector<std::string> not_asked_yet(const std::vector<Asked>& asked);

}  // namespace zatt::cli
