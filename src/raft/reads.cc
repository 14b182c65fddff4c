// SPDX-License-Identifier: AGPL-3.0-or-later
// Linearizable reads without a log entry (ReadIndex, thesis 6.4).
//
// A read is answered from any state at or past the commit_index of its arrival, once a quorum has
// said, to a question asked after that arrival, that this server still leads. One round of
// heartbeats confirms all reads that wait for it.
#include <algorithm>

#include "raft/quorum.h"
#include "raft/raft.h"

namespace zatt::raft {

void Raft::handle_read_requests(const ReadRequests& requests) {
  if (!leads(requests.term)) {
    for (const ReadRequest& read : requests.reads) output_.reads.push_back({read.id, false, {}});
    return;
  }
  auto* leader = std::get_if<Leader>(&role_);
  // A round under way was asked before these reads came: they wait for the next.
  const bool under_way = leader->reads.is_round_under_way();
  for (const ReadRequest& read : requests.reads) {
    // Before this term's first entry is committed, commit_index may be below what an earlier
    // leader answered; that entry is the bound then.
    const Index index =
        read.to_log_end ? log_.last_index() : std::max(commit_index_, leader->noop_index);
    if (!read.to_log_end && commit_index_ < leader->noop_index)
      hit(CoveragePoint::read_bounded_by_noop);
    leader->reads.push(read.id, index);
  }
  if (!under_way && !leader->reads.empty()) begin_round();
}

void Raft::begin_round() {
  std::get<Leader>(role_).reads.begin_round();
  send_heartbeats();
  finish_round();  // alone, we are the quorum
}

void Raft::finish_round() {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || !leader->reads.is_round_under_way()) return;
  const bool answered = is_quorum(configuration(), [this, leader](const MemberId& server) {
    if (server == options_.self) return true;
    const auto it = leader->progress.find(server);
    return it != leader->progress.end() && it->second.round >= leader->reads.round();
  });
  if (!answered) return;
  leader->reads.finish_round(output_.reads);
  if (!leader->reads.empty()) begin_round();
}

void Raft::fail_reads() {
  ReadQueue& reads = std::get<Leader>(role_).reads;
  if (!reads.empty()) hit(CoveragePoint::reads_failed_at_step_down);
  reads.fail_all(output_.reads);
}

}  // namespace zatt::raft
