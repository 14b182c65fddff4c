// SPDX-License-Identifier: AGPL-3.0-or-later
// Indexes, terms and members as an invariant's message names them.
#pragma once

#include <string>

#include "base/types.h"

namespace zatt::sim {

inline std::string number(Index index) { return std::to_string(raw(index)); }
inline std::string number(Term term) { return std::to_string(raw(term)); }

inline std::string at(Index index, Term term) {
  return "(" + number(index) + ", term " + number(term) + ")";
}

inline std::string name(const MemberId& server) {
  return server.id + "/" + std::to_string(server.incarnation % 10'000);
}

}  // namespace zatt::sim
