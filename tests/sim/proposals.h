// SPDX-License-Identifier: AGPL-3.0-or-later
// What hosts asked of a machine of their own and were told, and whether one list (host_list.h)
// could have said it.
//
// The committed log is the witness, as in history.h: a proposal has its place there or none, and
// from a barrier on its node's own machine holds all that it has to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/env.h"
#include "tests/sim/history.h"
#include "tests/sim/invariants.h"

namespace zatt::sim {

struct Ask {
  enum class Kind : std::uint8_t { proposal, barrier };
  enum class Outcome : std::uint8_t { pending, done, refused, unknown };
  Kind kind = Kind::proposal;
  node::ClientId proposer{};  // what one asks takes effect in the order asked
  std::string command;        // of a proposal: unlike every other's
  // When: all questions and answers are counted, as they come.
  std::uint64_t asked = 0, answered = 0;
  Outcome outcome = Outcome::pending;
  std::uint64_t index = 0;  // as a proposal was told
  std::string reply;        // likewise
  std::uint64_t held = 0;   // by the node's own machine, when a barrier was done: so many commands
};

// What does not fit, for a person; nothing where all does. `asks` are in the order asked.
std::optional<Violation> check_proposals(const std::vector<Ask>& asks, const Ledger& ledger);

std::string to_string(const Ask& ask);

}  // namespace zatt::sim
