// SPDX-License-Identifier: AGPL-3.0-or-later
// What a node must never take back: who it is, its term and vote, its floor, the offers it held.
//
// Kept in the file `hard_state`, in two slots (slots.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "raft/configuration.h"
#include "raft/hard_state.h"

namespace zatt::storage {

using raft::Offer;

struct HardState {
  MemberId self;        // the id and incarnation of this directory
  ClusterId cluster{};  // 0: not yet in one. Else an offer's, or that of a cluster joined
  raft::HardState raft_state;
  std::vector<Offer> offers;  // every offer ever held, oldest first

  friend bool operator==(const HardState&, const HardState&) = default;
};

void encode(const HardState& state, std::string& out);
std::optional<HardState> decode_hard_state(std::string_view bytes);

}  // namespace zatt::storage
