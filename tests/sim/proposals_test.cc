// SPDX-License-Identifier: AGPL-3.0-or-later
// A judge that never condemns is worth nothing: each kind of lie about a list, told once.
#include "tests/sim/proposals.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/sim/host_list.h"

namespace zatt::sim {
namespace {

using Kind = Ask::Kind;
using Outcome = Ask::Outcome;

// The list is a, b; entries 1 and 3 are no commands.
Ledger two_commands() { return {{2, "a"}, {4, "b"}}; }

Ask proposal(const std::string& command, std::uint64_t asked, std::uint64_t answered) {
  Ask ask;
  ask.command = command;
  ask.asked = asked;
  ask.proposer = node::ClientId{asked};  // one of its own
  ask.answered = answered;
  ask.outcome = Outcome::unknown;
  return ask;
}

Ask done(const std::string& command, std::uint64_t index, const std::string& reply,
         std::uint64_t asked, std::uint64_t answered) {
  Ask ask = proposal(command, asked, answered);
  ask.outcome = Outcome::done;
  ask.index = index;
  ask.reply = reply;
  return ask;
}

Ask barrier(std::uint64_t held, std::uint64_t asked, std::uint64_t answered) {
  Ask ask = proposal("", asked, answered);
  ask.kind = Kind::barrier;
  ask.outcome = Outcome::done;
  ask.held = held;
  return ask;
}

Ask of(std::uint64_t proposer, Ask ask) {
  ask.proposer = node::ClientId{proposer};
  return ask;
}

std::string verdict(const std::vector<Ask>& asks, const Ledger& ledger = two_commands()) {
  const auto wrong = check_proposals(asks, ledger);
  return wrong ? wrong->what.substr(0, wrong->what.find(':')) : "";
}

}  // namespace

TEST_CASE("proposals: what one list could have said is believed") {
  CHECK(verdict({done("a", 2, "1", 10, 20), barrier(1, 11, 21), done("b", 4, "2", 30, 50),
                 barrier(1, 31, 40), barrier(2, 60, 70)}) == "");
  CHECK(verdict({proposal("a", 10, 20), proposal("c", 11, 21), proposal("b", 30, 0)}) == "");
}

TEST_CASE("proposals: told another place than its own, or another reply") {
  const Ask b = proposal("b", 1, 2);
  CHECK(verdict({b, done("a", 3, "1", 10, 20)}) == "done, and it is not in the log at its index");
  CHECK(verdict({b, done("a", 2, "2", 10, 20)}) == "done, and the list replied 1");
  CHECK(verdict({b, proposal("a", 5, 6), done("c", 2, "1", 10, 20)}) ==
        "done, and it is not in the log at its index");
}

TEST_CASE("proposals: refused and there, there twice, there and never asked for") {
  Ask refused = proposal("a", 10, 20);
  refused.outcome = Outcome::refused;
  const Ask b = proposal("b", 1, 2);
  CHECK(verdict({b, refused}) == "refused, and it is in the log at 2");
  CHECK(verdict({b, proposal("a", 10, 20)}, {{2, "a"}, {4, "b"}, {5, "a"}}) == "carried out twice");
  CHECK(verdict({b}) == "in the log at 2, and nobody proposed it");
}

TEST_CASE("proposals: what is asked later stands behind what was told") {
  CHECK(verdict({done("b", 4, "2", 10, 20), proposal("a", 30, 40)}) ==
        "stands before number 2, which was told before it was asked");
  CHECK(verdict({done("b", 4, "2", 10, 40), proposal("a", 30, 50)}) == "");
}

TEST_CASE("proposals: a barrier holds what anybody was told before it was asked") {
  const Ask a = done("a", 2, "1", 10, 20), b = done("b", 4, "2", 30, 40);
  const std::string early =
      "a barrier is done before its node holds number 2, which was told before it was asked";
  CHECK(verdict({a, b, barrier(1, 50, 60)}) == early);
  CHECK(verdict({a, b, barrier(1, 35, 60)}) == "");
  // Another barrier may have told it.
  CHECK(verdict({a, proposal("b", 30, 0), barrier(2, 50, 60), barrier(1, 70, 80)}) == early);
}

TEST_CASE("proposals: what one asks takes effect in the order asked, and a barrier settles it") {
  const Ask a = of(1, proposal("a", 10, 20)), b = of(1, proposal("b", 11, 21));
  CHECK(verdict({a, b}) == "");
  CHECK(verdict({of(1, proposal("b", 10, 20)), of(1, proposal("a", 11, 21))}) ==
        "overtook what was asked before it");
  CHECK(verdict({a, b, of(1, barrier(2, 30, 40))}) == "");
  CHECK(verdict({a, b, of(1, barrier(1, 30, 40))}) ==
        "a barrier is done, and number 2, asked for before it, comes later");
  CHECK(verdict({a, b, of(2, barrier(1, 30, 40))}) == "");
}

TEST_CASE("host list: a snapshot is the list, and a damaged one is none") {
  HostList list, restored;
  std::string reply;
  for (const char* command : {"a", "b", "c"}) {
    reply.clear();
    list.apply(Index{7}, 0, command, reply);
  }
  CHECK(reply == "3");
  std::vector<std::string> slices;
  list.begin_snapshot();
  list.apply(Index{9}, 0, "later", reply);
  for (bool more = true; more;) more = list.next_slice(16, slices.emplace_back());
  list.end_snapshot();

  restored.begin_restore();
  for (const std::string& slice : slices) REQUIRE(restored.restore_slice(slice));
  REQUIRE(restored.end_restore());
  CHECK(restored.size() == 3);
  CHECK(restored.state_hash() != list.state_hash());
  restored.apply(Index{9}, 0, "later", reply);
  CHECK(restored.state_hash() == list.state_hash());

  slices[1][0] = static_cast<char>(slices[1][0] ^ 1);
  restored.begin_restore();
  for (const std::string& slice : slices) CHECK(restored.restore_slice(slice));
  CHECK_FALSE(restored.end_restore());
}

}  // namespace zatt::sim
