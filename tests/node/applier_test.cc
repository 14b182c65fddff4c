// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/applier.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "kv/machine.h"
#include "tests/node/parts.h"

namespace zatt::node {
namespace {

using test::Parts;
using test::set_command;

struct Fixture : Parts {
  explicit Fixture(std::uint64_t max_log_bytes = 4 << 20) : Parts(max_log_bytes) {}
  kv::Machine store{1};
  std::vector<Index> applied;
  Applier applier{
      options,    env,
      *raft,      store,
      *persister, [this](Index index, Term, std::string_view) { applied.push_back(index); }};
};

}  // namespace

TEST_CASE("applier: applies what is committed, in order, and says once how far it is") {
  Fixture fixture;
  fixture.lead_alone();
  CHECK(fixture.applier.apply_committed()->index == fixture.raft->commit_index());
  CHECK(!fixture.applier.apply_committed());
  const raft::Output output = fixture.step(raft::Propose{
      fixture.raft->current_term(),
      {{EntryKind::command, set_command("a", "1")}, {EntryKind::command, set_command("b", "2")}}});
  CHECK(!fixture.applier.apply_committed());  // not committed
  fixture.settle();
  const auto applied = fixture.applier.apply_committed();
  REQUIRE(applied);
  CHECK(applied->index == output.proposed + 1);
  CHECK(fixture.applier.last_applied() == output.proposed + 1);
  CHECK(fixture.store.size() == 2);
  for (std::size_t i = 0; i < fixture.applied.size(); ++i)
    CHECK(fixture.applied[i] == Index{1 + i});
}

TEST_CASE("applier: what memory no longer holds is read back first") {
  Fixture fixture(0);
  fixture.lead_alone();
  fixture.step(
      raft::Propose{fixture.raft->current_term(), {{EntryKind::command, set_command("a", "1")}}});
  fixture.settle();
  // As after a start: the core has forgotten the bodies, the machine has seen nothing.
  fixture.step(raft::Applied{fixture.raft->commit_index()});
  REQUIRE(!fixture.raft->log().in_memory(Index{1}));
  CHECK(!fixture.applier.apply_committed());
  const Persister::Done done = fixture.run_disk();
  REQUIRE(done.reads.size() == 1);
  CHECK(fixture.applier.take_read(done.reads[0]));
  CHECK(fixture.store.size() == 1);
  CHECK(!fixture.applier.take_read(done.reads[0]));  // it has asked for nothing more
}

TEST_CASE("applier: a turn that is over leaves the rest to the next") {
  Fixture fixture;
  fixture.lead_alone();
  fixture.applier.apply_committed();
  const raft::Output output = fixture.step(raft::Propose{
      fixture.raft->current_term(),
      {{EntryKind::command, set_command("a", "1")}, {EntryKind::command, set_command("b", "2")}}});
  fixture.settle();
  fixture.env.short_turns = true;
  CHECK(fixture.applier.apply_committed()->index == output.proposed);
  CHECK(fixture.applier.wake_at_us() == fixture.env.now);
  CHECK(fixture.applier.apply_committed()->index == output.proposed + 1);
  CHECK(fixture.applier.wake_at_us() == never_us);
}

}  // namespace zatt::node
