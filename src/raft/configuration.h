// SPDX-License-Identifier: AGPL-3.0-or-later
// Who the cluster is: the body of a configuration entry, in its final form.
//
// Voters are counted in two halves while membership changes (joint consensus, thesis 4.3): the
// incoming voters, and the outgoing ones, which is empty otherwise. Both are sets of MemberId, so
// that a wiped directory under a known id counts for nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace zatt::raft {

struct Member {
  MemberId server;
  Address address;
  bool voter = false;     // of the incoming half; outside a change, of the only one
  bool outgoing = false;  // of the outgoing half
  bool learner = false;

  friend bool operator==(const Member&, const Member&) = default;
};

struct Configuration {
  std::vector<Member> members;       // ascending by server, each once
  std::vector<std::string> removed;  // ids that come back only by being added, ascending

  bool empty() const { return members.empty(); }
  bool is_joint() const;
  const Member* find(const MemberId& server) const;
  const Member* find_id(std::string_view id) const;  // the first under this id
  bool votes(const MemberId& server) const;          // in either half

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// A first configuration that a bootstrap leader offered, before there is a log to keep one. Each offer has
// its own cluster id, so that nothing said under one is ever taken for another's.
struct Offer {
  std::uint64_t number = 0;
  ClusterId cluster{};
  Configuration configuration;

  friend bool operator==(const Offer&, const Offer&) = default;
};

// Little-endian: u32 number of members, each: bytes id, u64 incarnation, bytes host, u16 port,
// u8 roles (1 voter, 2 outgoing, 4 learner); u32 number of removed ids, each: bytes id. (bytes: u32
// length, then that many bytes.)
void encode(const Configuration& configuration, std::string& out);
std::optional<Configuration> decode_configuration(std::string_view bytes);

}  // namespace zatt::raft
