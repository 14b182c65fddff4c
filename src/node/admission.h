// SPDX-License-Identifier: AGPL-3.0-or-later
// How much a leader takes: no more than its cluster has shown that it can answer in about a second.
//
// A queue in bytes alone is minutes long on a slow disk: every write times out, and is carried out
// all the same. Here what comes too fast is refused at once, and surely not written.
#pragma once

#include <cstdint>
#include <deque>

#include "base/types.h"
#include "node/env.h"

namespace zatt::node {

class Admission {
 public:
  // Taken before anything is known: what a slow disk writes within a request's time.
  static constexpr std::uint64_t first_bytes = 16 << 20;
  // Taken however slow it is: one piece is always under way.
  static constexpr std::uint64_t least_bytes = 1 << 20;
  static constexpr std::uint64_t old_us = 1'000'000;
  static constexpr std::uint64_t window_us = 2'000'000;

  // `env` is borrowed for its life.
  explicit Admission(Env& env) : env_(env) {}

  // So many bytes of commands are in the log now, up to this index.
  void on_proposed(Index last, std::uint64_t bytes);
  // Everything up to here is answered.
  void on_applied(Index index);
  // Whether so many bytes more may be taken, beside those taken that are not in the log yet.
  bool has_room(std::uint64_t bytes, std::uint64_t gathered);

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
  // Bytes a second, of late.
  std::uint64_t rate() const { return answered_bytes_ * 1'000'000 / window_us; }

  Env& env_;
  std::deque<Piece> under_way_;
  std::uint64_t bytes_ = 0;  // of under_way_
  std::deque<Answered> answered_;
  std::uint64_t answered_bytes_ = 0;  // of answered_: within the window
};

}  // namespace zatt::node
