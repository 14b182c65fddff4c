// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/bootstrapper.h"

#include <doctest/doctest.h>

#include "tests/node/parts.h"

namespace zatt::node {

using test::Parts;

TEST_CASE("bootstrapper: alone it stores its offer, and shows it once that is durable") {
  Parts parts;
  Bootstrapper bootstrapper(parts.options, parts.env, *parts.raft, *parts.persister,
                            parts.connections);
  CHECK(!bootstrapper.is_in_cluster());
  const Bootstrapper::Actions stored = bootstrapper.pursue();
  CHECK(stored.save);
  CHECK(!stored.abandon);
  CHECK(!stored.bootstrap);
  bootstrapper.save(parts.raft->take_write_number());
  CHECK(bootstrapper.state().offers.empty());  // on its way to the disk
  CHECK(bootstrapper.state().cluster == ClusterId{0});
  CHECK(!bootstrapper.pursue().save);  // nor is there another meanwhile
  parts.settle();
  CHECK(bootstrapper.state().offers.size() == 1);
  CHECK(!bootstrapper.is_in_cluster());

  const Bootstrapper::Actions found = bootstrapper.pursue();
  REQUIRE(found.bootstrap);
  CHECK(found.bootstrap->members.size() == 1);
  parts.step(raft::Bootstrap{*found.bootstrap});
  CHECK(bootstrapper.is_in_cluster());
  CHECK(!bootstrapper.has_acted());
}

TEST_CASE("bootstrapper: what a crash has left of an offer that was given up is dropped") {
  Parts parts;
  Bootstrapper bootstrapper(parts.options, parts.env, *parts.raft, *parts.persister,
                            parts.connections);
  const raft::Member self{parts.raft->self(), parts.options.cluster.at("0"), true};
  parts.step(raft::Bootstrap{raft::Configuration{{self}, {}}});  // of no offer that is kept
  parts.settle();
  const Bootstrapper::Actions dropped = bootstrapper.drop_abandoned();
  CHECK(dropped.abandon);
  CHECK(dropped.save);
  CHECK(!dropped.bootstrap);
}

}  // namespace zatt::node
