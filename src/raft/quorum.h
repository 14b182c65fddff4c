// SPDX-License-Identifier: AGPL-3.0-or-later
// What is a majority?
//
// This file is the only answer: elections, commits, check quorum and read rounds all ask it. While
// membership changes, a majority is needed of each half (thesis 4.3).
#pragma once

#include <functional>
#include <vector>

#include "raft/configuration.h"

namespace zatt::raft {

// The highest index that a majority of the voters stores.
// match_index: one element per voter, the leader's own included; order is free.
Index majority_index(std::vector<Index> match_index);

// The highest index that a majority of each half stores. 0 where nobody votes.
Index quorum_index(const Configuration& configuration,
                   const std::function<Index(const MemberId&)>& match_index);

// Whether each half has an even number of voters: then a majority that stores an entry and one that
// elects share two of them.
bool has_even_halves(const Configuration& configuration);

// Whether a majority of each half said yes. False where nobody votes.
bool is_quorum(const Configuration& configuration,
               const std::function<bool(const MemberId&)>& said_yes);

}  // namespace zatt::raft
