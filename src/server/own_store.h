// SPDX-License-Identifier: AGPL-3.0-or-later
// The dictionary of a node in the real world.
#pragma once

#include "base/random_seed.h"
#include "kv/machine.h"

namespace zatt::server {

// Each draws its own hash seed: keys that collide in one are spread in all others, and nobody can
// choose keys that make it slow.
inline kv::Machine own_store() { return kv::Machine(random_seed()); }

}  // namespace zatt::server
