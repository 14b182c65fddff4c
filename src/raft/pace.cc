// SPDX-License-Identifier: AGPL-3.0-or-later
// Whether a leader should wait a little before it proposes more, for a voter that falls behind.
//
// A quorum commits without the slowest voter; but once another one fails, all wait for that one,
// for as long as it is behind. Raft asks for none of this: no entry is safer or less safe for it.
#include "raft/raft.h"

namespace zatt::raft {
namespace {

constexpr std::uint64_t lag_us = 500'000;
constexpr std::uint64_t mark_every_us = 50'000;
constexpr std::uint64_t progress_within_us = 1'000'000;

}  // namespace

void Raft::mark_end() {
  auto& marks = std::get<Leader>(role_).marks;
  if (marks.empty() || now_us_ - marks.back().at_us >= mark_every_us)
    marks.push_back({now_us_, log_.last_index()});
  while (marks.size() > 1 && now_us_ - marks[1].at_us >= lag_us) marks.pop_front();
}

bool Raft::has_lagging_voter(std::uint64_t now_us) const {
  const auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return false;
  Index then{};  // the end of the log as long ago as a voter may be behind
  for (const Leader::Mark& mark : leader->marks)
    if (now_us - mark.at_us >= lag_us) then = mark.last;
  for (const auto& [server, progress] : leader->progress)
    if (configuration().votes(server) && progress.connected && progress.room == DiskSpace::enough &&
        progress.received_index < then && now_us - progress.advanced_us < progress_within_us)
      return true;
  return false;
}

}  // namespace zatt::raft
