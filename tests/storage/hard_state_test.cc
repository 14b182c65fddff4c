// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/hard_state.h"

#include <doctest/doctest.h>

namespace zatt::storage {
namespace {

HardState full() {
  HardState state;
  state.self = {"1", 77};
  state.cluster = ClusterId{5};
  state.raft_state.current_term = Term{9};
  state.raft_state.voted_for = MemberId{"2", 78};
  state.raft_state.floor.term = Term{3};
  state.raft_state.floor.index = Index{4};
  raft::Configuration configuration;
  configuration.members = {{{"1", 77}, {"127.0.0.1", 5254}, true, false, false}};
  state.offers = {{1, ClusterId{4}, configuration}, {2, ClusterId{5}, configuration}};
  return state;
}

std::string encoded(const HardState& state) {
  std::string bytes;
  encode(state, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("hard state: encoded and decoded again") {
  HardState no_vote = full();
  no_vote.raft_state.voted_for.reset();
  HardState open = full();
  open.raft_state.floor.open_term = Term{9};
  for (const HardState& state : {HardState{}, full(), no_vote, open}) {
    const auto again = decode_hard_state(encoded(state));
    REQUIRE(again);
    CHECK(*again == state);
  }
}

TEST_CASE("hard state: what is not exactly one is refused") {
  const std::string good = encoded(full());
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK(!decode_hard_state(std::string_view(good).substr(0, size)));
  CHECK(!decode_hard_state(good + '\0'));
  std::string bad_vote = good;
  const std::size_t voted = 4 + 1 + 8 + 8 + 8;
  REQUIRE(bad_vote[voted] == 1);
  bad_vote[voted] = 2;
  CHECK(!decode_hard_state(bad_vote));
}

}  // namespace zatt::storage
