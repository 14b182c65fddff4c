// SPDX-License-Identifier: AGPL-3.0-or-later
// A read of a follower, for its tests: what a client asks and the leader answers.
#pragma once

#include <string>

#include "tests/node/protocol_text.h"
#include "tests/support/fake_env.h"

namespace zatt::node {

inline const std::string get_k = test::get("k");
inline const std::string absent = R"({"ok":true,"found":false})";

inline void confirm(test::NodeFixture& fixture, const codec::ReadIndex& read, Index index) {
  fixture.peer("0").say(codec::ReadIndexReply{read.number, true, Term{1}, index, index});
}

}  // namespace zatt::node
