// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/quorum.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace zatt::raft {
namespace {

std::size_t majority_of(std::size_t voters) { return voters / 2 + 1; }

}  // namespace

Index majority_index(std::vector<Index> match_index) {
  ZATT_ASSERT(!match_index.empty());
  std::sort(match_index.begin(), match_index.end(), [](Index a, Index b) { return a > b; });
  return match_index[majority_of(match_index.size()) - 1];
}

Index quorum_index(const Configuration& configuration,
                   const std::function<Index(const MemberId&)>& match_index) {
  std::vector<Index> incoming, outgoing;
  incoming.reserve(configuration.members.size());
  for (const Member& member : configuration.members) {
    if (!member.voter && !member.outgoing) continue;
    const Index match = match_index(member.server);
    if (member.voter) incoming.push_back(match);
    if (member.outgoing) outgoing.push_back(match);
  }
  if (incoming.empty()) return Index{0};
  const Index stored = majority_index(std::move(incoming));
  return outgoing.empty() ? stored : std::min(stored, majority_index(outgoing));
}

bool has_even_halves(const Configuration& configuration) {
  const auto count = [&](bool Member::*half) {
    return std::count_if(configuration.members.begin(), configuration.members.end(),
                         [&](const Member& member) { return member.*half; });
  };
  return count(&Member::voter) > 0 && count(&Member::voter) % 2 == 0 &&
         count(&Member::outgoing) % 2 == 0;
}

bool is_quorum(const Configuration& configuration,
               const std::function<bool(const MemberId&)>& said_yes) {
  const auto agrees = [&](bool Member::*half) {
    std::size_t voters = 0, yes = 0;
    for (const Member& member : configuration.members) {
      if (!(member.*half)) continue;
      ++voters;
      if (said_yes(member.server)) ++yes;
    }
    return yes >= majority_of(voters);
  };
  return agrees(&Member::voter) && (!configuration.is_joint() || agrees(&Member::outgoing));
}

}  // namespace zatt::raft
