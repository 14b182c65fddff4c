// SPDX-License-Identifier: AGPL-3.0-or-later
// How much a leader takes: no more than its cluster has shown that it can answer in about a second.
//
// A queue in bytes alone is minutes long on a slow disk: every write times out, and is carried out
// all the same. What comes too fast waits for its turn, and is refused, surely not written, as soon
// as it would come too late.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "base/types.h"
#include "node/env.h"

namespace zatt::node {

// Whether what is handed on now is likely to be decided by then, where one takes so long of late and
// the oldest has waited for so long: with half as much to spare.
constexpr bool comes_in_time(std::uint64_t now_us, std::uint64_t usual_us, std::uint64_t oldest_us,
                             std::uint64_t deadline_us) {
  return now_us + std::max(usual_us, oldest_us) * 3 / 2 < deadline_us;
}

class Admission {
 public:
  // Taken before anything is known: what a slow disk writes in about a second. Others' writes have
  // had their turn elsewhere, and are not refused as soon.
  static constexpr std::uint64_t first_bytes = 4 << 20;
  static constexpr std::uint64_t first_forwarded_bytes = 16 << 20;
  // Taken however slow it is: one piece is always under way.
  static constexpr std::uint64_t least_bytes = 1 << 20;
  static constexpr std::uint64_t old_us = 1'000'000;
  static constexpr std::uint64_t window_us = 2'000'000;

  // `env` is borrowed for its life.
  explicit Admission(Env& env) : env_(env) {}

  // What was under way in an earlier term is no measure: it may never be answered.
  void begin_term(Term term);
  // So many bytes of commands are in the log now, up to this index.
  void on_proposed(Index last, std::uint64_t bytes);
  // Everything up to here is answered.
  void on_applied(Index index);
  // Whether one more may be taken, beside so many bytes that are not in the log yet. `first`: how
  // much before anything is known. One is let through however large it is.
  bool has_room(std::uint64_t gathered, std::uint64_t first = first_bytes);
  // About how long so many bytes wait before they are taken; 0 where that is not known.
  std::uint64_t wait_us(std::uint64_t bytes);
  // Whether what is taken now is likely to be answered by then.
  bool is_in_time(std::uint64_t deadline_us) const;

 private:
  struct Piece {
    Index last{};
    std::uint64_t bytes = 0;
    std::uint64_t since_us = 0;
  };
  struct Answered {
    std::uint64_t at_us = 0;
    std::uint64_t bytes = 0;
  };
  void forget_answered(std::uint64_t now_us);
  // Whether the oldest write under way is old. Only then is the rate all that there can be.
  bool is_behind(std::uint64_t now_us) const {
    return !under_way_.empty() && under_way_.front().since_us + old_us < now_us;
  }
  // Bytes a second, of late.
  std::uint64_t rate() const { return answered_bytes_ * 1'000'000 / window_us; }

  Env& env_;
  Term term_{};
  std::deque<Piece> under_way_;
  std::uint64_t bytes_ = 0;     // of under_way_
  std::uint64_t delay_us_ = 0;  // of the piece that was answered last
  std::deque<Answered> answered_;
  std::uint64_t answered_bytes_ = 0;  // of answered_: within the window
};

}  // namespace zatt::node
