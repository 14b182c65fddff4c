// SPDX-License-Identifier: AGPL-3.0-or-later
// What a host program may ask of its node at any time.
#pragma once

#include <cstdint>
#include <string>

#include "base/types.h"

namespace zatt::node {

enum class Role : std::uint8_t { follower, candidate, leader, learner };

struct NodeState {
  Role role = Role::follower;
  Term term{};
  std::string leader{};  // its id; empty where none is known
  Index commit_index{};
  Index last_applied{};

  friend bool operator==(const NodeState&, const NodeState&) = default;
};

}  // namespace zatt::node
