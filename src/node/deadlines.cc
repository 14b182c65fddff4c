// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/deadlines.h"

#include <algorithm>

namespace zatt::node {

void Deadlines::put(std::size_t place, PendingRequest* pending) {
  heap_[place] = pending;
  pending->deadline_place = place;
}

void Deadlines::move_up(std::size_t place) {
  PendingRequest* const pending = heap_[place];
  for (std::size_t parent; place > 0; place = parent) {
    parent = (place - 1) / 2;
    if (heap_[parent]->deadline_us <= pending->deadline_us) break;
    put(place, heap_[parent]);
  }
  put(place, pending);
}

void Deadlines::move_down(std::size_t place) {
  PendingRequest* const pending = heap_[place];
  for (std::size_t child; (child = 2 * place + 1) < heap_.size(); place = child) {
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_us < heap_[child]->deadline_us)
      ++child;
    if (pending->deadline_us <= heap_[child]->deadline_us) break;
    put(place, heap_[child]);
  }
  put(place, pending);
}

void Deadlines::add(PendingRequest& pending) {
  heap_.push_back(&pending);
  move_up(heap_.size() - 1);
}

void Deadlines::remove(PendingRequest& pending) {
  const std::size_t place = pending.deadline_place;
  if (place == PendingRequest::no_place) return;
  pending.deadline_place = PendingRequest::no_place;
  PendingRequest* const last = heap_.back();
  heap_.pop_back();
  if (place == heap_.size()) return;
  put(place, last);
  move_up(place);
  move_down(last->deadline_place);
}

void Deadlines::shorten(PendingRequest& pending, std::uint64_t deadline_us) {
  pending.deadline_us = std::min(pending.deadline_us, deadline_us);
  if (pending.deadline_place != PendingRequest::no_place) move_up(pending.deadline_place);
}

PendingRequest* Deadlines::take_expired(std::uint64_t now_us) {
  if (next_us() > now_us) return nullptr;
  PendingRequest* const pending = heap_.front();
  remove(*pending);
  return pending;
}

}  // namespace zatt::node
