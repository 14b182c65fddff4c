// SPDX-License-Identifier: AGPL-3.0-or-later
// How many of the process's descriptors clients may have. The rest is kept back: for the log's
// files, links to peers, and those who have not said yet who they are.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace zatt::server {

// Under the limit that the process has now: it may change while it runs.
std::size_t descriptors_for_clients(std::size_t members);

// An error, for a person, where a node of a cluster of so many cannot do its work.
Status enough_descriptors(std::size_t members);

}  // namespace zatt::server
