// SPDX-License-Identifier: AGPL-3.0-or-later
// A second opinion on what clients were told: whether any order of their requests explains the
// answers, without a look into the log.
//
// The search of Wing and Gong (1993) with Lowe's memory of what was tried (2017), key by key. It
// knows less than history.h, which has the log for a witness, and shares nothing with it: where the
// two disagree, one of the judges errs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/history.h"

namespace zatt::sim {

struct OrderSearchResult {
  enum class Verdict : std::uint8_t { fits, fits_not, gave_up };
  Verdict verdict = Verdict::fits;
  std::string why;  // fits_not: what could be placed nowhere
  std::uint64_t steps = 0;
};

// Of gets, sets, deletes and increments by 1. It gives up where a key takes more than `most_steps`.
OrderSearchResult search_order(const std::vector<Op>& ops, std::uint64_t most_steps);

}  // namespace zatt::sim
