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

namespace zatt::storage {

using raft::Offer;

struct HardState {
  MemberId self;              // the id and incarnation of this directory
  std::uint64_t cluster = 0;  // 0: not yet in one. Else an offer's, or that of a cluster joined
  Term current_term{};
  std::optional<MemberId> voted_for;
  Term floor_term{};    // until the log reaches (floor_term, floor_index) again, after damage,
  Index floor_index{};  // this node does not campaign and votes only for logs at or past it
  // Where damage took what was promised behind the floor, too: the term at that time. Until the log
  // reaches the end that a leader of that term or a later one names, this node does not campaign,
  // and votes only for logs whose last term is above it.
  std::optional<Term> floor_open_term;
  std::vector<Offer> offers;  // every offer ever held, oldest first

  friend bool operator==(const HardState&, const HardState&) = default;
};

void encode(const HardState& state, std::string& out);
std::optional<HardState> decode_hard_state(std::string_view bytes);

}  // namespace zatt::storage
