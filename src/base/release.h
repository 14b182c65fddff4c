// SPDX-License-Identifier: AGPL-3.0-or-later
// Gives back what a container holds. Assigning an empty one may keep all of it for later: of a
// std::string it does.
#pragma once

#include <utility>

namespace zatt {

template <class Container>
void release(Container& container) {
  Container empty;
  std::swap(container, empty);
}

}  // namespace zatt
