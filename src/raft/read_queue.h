// SPDX-License-Identifier: AGPL-3.0-or-later
// A leader's reads that wait to hear that it still leads, and the rounds of heartbeats that ask.
//
// A round confirms the reads that came before it began, all of them at once; those that come while
// it is under way wait for the next.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/types.h"
#include "raft/output.h"

namespace zatt::raft {

class ReadQueue {
 public:
  // A read that may be answered, once confirmed, from a state at or past `index`.
  void push(std::uint64_t id, Index index);
  bool empty() const { return reads_.empty(); }

  std::uint64_t round() const { return round_; }  // the last begun; 0: none
  bool is_round_under_way() const { return round_ > round_done_; }
  // None is under way.
  void begin_round();
  // A quorum has answered the round under way: moves the reads that it confirms to `out`.
  void finish_round(std::vector<ReadState>& out);
  // Moves all of them to `out`, unconfirmed.
  void fail_all(std::vector<ReadState>& out);

 private:
  struct Read {
    std::uint64_t id = 0;
    std::uint64_t round = 0;  // confirmed by this round or a later one
    Index index{};
  };

  std::deque<Read> reads_;  // ascending by round
  std::uint64_t round_ = 0;
  std::uint64_t round_done_ = 0;
};

}  // namespace zatt::raft
