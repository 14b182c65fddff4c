// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/quorum.h"

#include <algorithm>
#include <vector>

#include "base/assert.h"

namespace zatt::raft {

Index majority_index(std::span<const Index> match_index) {
  ZATT_ASSERT(!match_index.empty());
  std::vector<Index> sorted(match_index.begin(), match_index.end());
  std::sort(sorted.begin(), sorted.end(), [](Index a, Index b) { return a > b; });
  return sorted[sorted.size() / 2];
}

Index quorum_index(const Configuration& configuration,
                   const std::function<Index(const MemberId&)>& match_index) {
  std::vector<Index> incoming, outgoing;
  for (const Member& member : configuration.members) {
    if (!member.voter && !member.outgoing) continue;
    const Index match = match_index(member.server);
    if (member.voter) incoming.push_back(match);
    if (member.outgoing) outgoing.push_back(match);
  }
  if (incoming.empty()) return Index{0};
  const Index stored = majority_index(incoming);
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
  return quorum_index(configuration, [&](const MemberId& server) {
           return Index{said_yes(server) ? 1U : 0U};
         }) == Index{1};
}

}  // namespace zatt::raft
