// SPDX-License-Identifier: AGPL-3.0-or-later
// One visitor made of several lambdas, for std::visit: each alternative picks its own.
#pragma once

namespace zatt {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace zatt
