// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/read_queue.h"

#include "base/assert.h"

namespace zatt::raft {

void ReadQueue::push(std::uint64_t id, Index index) { reads_.push_back({id, round_ + 1, index}); }

void ReadQueue::begin_round() {
  ZATT_ASSERT(!is_round_under_way());
  ++round_;
}

void ReadQueue::finish_round(std::vector<ReadState>& out) {
  ZATT_ASSERT(is_round_under_way());
  round_done_ = round_;
  while (!reads_.empty() && reads_.front().round <= round_) {
    out.push_back({reads_.front().id, true, reads_.front().index});
    reads_.pop_front();
  }
}

void ReadQueue::fail_all(std::vector<ReadState>& out) {
  for (const Read& read : reads_) out.push_back({read.id, false, {}});
  reads_.clear();
}

}  // namespace zatt::raft
