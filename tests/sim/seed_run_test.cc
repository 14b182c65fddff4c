// SPDX-License-Identifier: AGPL-3.0-or-later
// What replaying rests on: a seed is one day, and its draws do not depend on each other.
#include "tests/sim/seed_run.h"

#include <doctest/doctest.h>

namespace zatt::sim {

TEST_CASE("seed run: the same seed is the same day, and another is not") {
  Choice choice;
  SeedRun first(3, choice, false), again(3, choice, false), other(4, choice, false);
  CHECK_FALSE(first.run().has_value());
  CHECK_FALSE(again.run().has_value());
  CHECK_FALSE(other.run().has_value());
  CHECK(first.trace_hash() == again.trace_hash());
  CHECK(first.summary() == again.summary());
  CHECK(first.trace_hash() != other.trace_hash());
}

TEST_CASE("seed run: a day without faults is a quiet one") {
  Choice choice;
  choice.only = Faults{};
  choice.beyond = false;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SeedRun seed_run(seed, choice, false);
    CHECK_FALSE(seed_run.run().has_value());
    CHECK(seed_run.was_quick());
    CHECK(seed_run.coverage().of(CoveragePoint::disk_failed) == 0);
  }
}

TEST_CASE("seed run: hosts with a machine of their own") {
  Choice choice;
  choice.own_machine = true;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SeedRun seed_run(seed, choice, false);
    CHECK(seed_run.settings().has_proposers());
    CHECK_FALSE(seed_run.run().has_value());
  }
  choice.own_machine = false;
  CHECK_FALSE(draw_settings(1, choice).has_proposers());
}

// It fell behind by more each second while a read of old entries waited for a sync (storage/log_reads).
TEST_CASE("seed run: a follower restarted under load catches up") {
  Choice choice;
  choice.only = Faults{};
  choice.only->set(static_cast<std::size_t>(Fault::load));
  choice.only->set(static_cast<std::size_t>(Fault::slow_disk));
  choice.own_machine = false;
  SeedRun seed_run(6, choice, false);
  REQUIRE(seed_run.settings().load == Settings::Load::many);
  CHECK_FALSE(seed_run.run().has_value());
  CHECK(seed_run.coverage().of(Action::load_borne) == 1);
  CHECK(seed_run.coverage().of(CoveragePoint::entries_read_back) > 0);
}

TEST_CASE("settings: what is switched off changes nothing else") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Choice choice;
    choice.only = Faults{}.set();
    const Settings all = draw_settings(seed, choice);
    choice.without.set(static_cast<std::size_t>(Fault::loss));
    const Settings without = draw_settings(seed, choice);
    CHECK(all.loss_permille > 0);
    CHECK(without.loss_permille == 0);
    CHECK(all.replay_permille == without.replay_permille);
    CHECK(all.rot_every_us == without.rot_every_us);
    CHECK(all.sync_us > 0);
    CHECK(all.link_bytes_per_ms == without.link_bytes_per_ms);
    CHECK(all.clients == without.clients);
    CHECK(all.think_mean_us == without.think_mean_us);
  }
}

}  // namespace zatt::sim
