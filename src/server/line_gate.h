// SPDX-License-Identifier: AGPL-3.0-or-later
// Who may keep the beginning of a long line: as many at once as there is room for whole lines. The
// others are not read from until it is their turn.
//
// Without this many who send the beginnings of long lines would fill the memory, or, held back by
// their bytes alone, keep each other from ever ending one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_map>

#include "loop/loop.h"
#include "loop/timer.h"
#include "node/env.h"

namespace zatt::server {

class LineGate {
 public:
  // So much of a line anybody may keep.
  static constexpr std::size_t free_bytes = 1 << 10;
  // While others wait, who sends nothing for so many looks loses its line; and so does who takes so
  // many to send it, or has waited for so many.
  static constexpr unsigned looks_in_vain = 4;
  static constexpr unsigned most_looks = 40;

  struct Events {
    std::function<void(node::ClientId)> on_entered;  // it may go on: after it waited
    std::function<void(node::ClientId)> on_refused;  // its line is to be given up
  };

  LineGate(loop::Loop& loop, std::uint64_t look_every_ms, Events events);

  // Whether this one may keep its line now. Else it waits in order: on_entered follows.
  bool enter(node::ClientId id);
  bool is_inside(node::ClientId id) const { return inside_.contains(id); }
  // One who is inside has sent more.
  void on_bytes(node::ClientId id);
  // Its line is complete, or nobody's any more. Nothing happens where it neither is inside nor waits.
  void leave(node::ClientId id);
  // There is room for so many lines.
  void set_room(std::size_t lines);

 private:
  struct Inside {
    unsigned looks = 0, in_vain = 0;
  };
  struct Waiting {
    node::ClientId id{};
    std::uint64_t since_look = 0;
  };
  bool has_room() const { return inside_.size() < room_; }
  void admit();
  // At those who are inside, again and again while others wait.
  void look();

  const std::uint64_t look_every_ms_;
  const Events events_;
  std::size_t room_ = 1;  // lines
  std::unordered_map<node::ClientId, Inside> inside_;
  std::deque<Waiting> waiting_;
  std::uint64_t looks_ = 0;
  loop::Timer timer_;
};

}  // namespace zatt::server
