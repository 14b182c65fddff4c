// SPDX-License-Identifier: AGPL-3.0-or-later
// Requests by the moment until which they are to be answered: the next one first, whatever number
// of them wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "node/pending_request.h"

namespace zatt::node {

// A heap of requests, each of which knows its place, so that it leaves as soon as it is answered.
class Deadlines {
 public:
  // `pending` is borrowed until it is removed or taken.
  void add(PendingRequest& pending);
  // Nothing happens where it is not here.
  void remove(PendingRequest& pending);
  // Brings its deadline forward.
  void shorten(PendingRequest& pending, std::uint64_t deadline_us);
  // Takes one whose time is up; null where there is none.
  PendingRequest* take_expired(std::uint64_t now_us);
  std::uint64_t next_us() const { return heap_.empty() ? never_us : heap_.front()->deadline_us; }
  std::size_t size() const { return heap_.size(); }

 private:
  void put(std::size_t place, PendingRequest* pending);
  // Moves it to where no parent is later, or no child earlier.
  void move_up(std::size_t place);
  void move_down(std::size_t place);

  std::vector<PendingRequest*> heap_;
};

}  // namespace zatt::node
