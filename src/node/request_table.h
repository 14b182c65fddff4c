// SPDX-License-Identifier: AGPL-3.0-or-later
// Requests by id: a place in a table and how often it has been used, so that an id is never used
// twice and costs no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "node/pending_request.h"

namespace zatt::node {

class RequestTable {
 public:
  // Gives it its id. `pending` is borrowed until it is removed.
  void add(PendingRequest& pending) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    Slot& slot = slots_[place];
    slot.pending = &pending;
    pending.id = RequestId{std::uint64_t{++slot.uses} << 32 | place};
  }
  void remove(const PendingRequest& pending) {
    const auto place = static_cast<std::uint32_t>(raw(pending.id));
    slots_[place].pending = nullptr;
    free_.push_back(place);
  }
  // Null where it was removed.
  PendingRequest* find(RequestId id) const {
    const auto place = static_cast<std::uint32_t>(raw(id));
    if (place >= slots_.size()) return nullptr;
    const Slot& slot = slots_[place];
    return slot.uses == raw(id) >> 32 ? slot.pending : nullptr;
  }
  std::size_t size() const { return slots_.size() - free_.size(); }

 private:
  struct Slot {
    PendingRequest* pending = nullptr;
    std::uint32_t uses = 0;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace zatt::node
