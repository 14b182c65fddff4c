// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/peer_table.h"

#include <doctest/doctest.h>

#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using codec::Refused;

struct Fixture {
  Options options;
  test::FakeEnv env;
  PeerTable table{options, env};
  Fixture() {
    for (const char* id : {"0", "1", "2"}) options.cluster[id] = {"127.0.0.1", 5254};
  }
};

}  // namespace

TEST_CASE("peer table: where a member is, and what is known of it") {
  Fixture f;
  CHECK(f.table.where("1") == " at 127.0.0.1:5254 (never seen)");
  CHECK(f.table.on_dial_failed("1", "nothing listens there"));
  CHECK(!f.table.on_dial_failed("1", "nothing listens there"));
  CHECK(f.table.where("1") == " at 127.0.0.1:5254 (never seen)");
  CHECK(f.table.on_dial_failed("1", "no route"));
  CHECK(f.table.where("1") == " at 127.0.0.1:5254 (never seen: no route)");
  f.table.on_up("1");
  f.env.now += 3'000'000;
  CHECK(f.table.where("1") == " at 127.0.0.1:5254 (last seen 3 s ago)");
  f.table.on_down("1", "it was reset");
  f.env.now += 1'000'000;
  CHECK(f.table.where("1") == " at 127.0.0.1:5254 (last seen 1 s ago: it was reset)");
  f.table.on_refused("1", {Refused::Why::other, "no"});
  CHECK(f.table.where("1") == " at 127.0.0.1:5254 (it refuses this node: no)");
  f.table.on_up("1");
  CHECK(f.table.where("1") == " at 127.0.0.1:5254 (last seen 0 s ago)");
  CHECK(f.table.where("9") == " (never seen)");
}

TEST_CASE("peer table: one member that refuses this node may be wrong, a majority is not") {
  Fixture f;
  const Refused alien{Refused::Why::cluster, "another cluster"};
  f.table.refuse("1", alien, false, false);  // it called: that proves nothing
  f.table.refuse("2", alien, false, false);
  CHECK(!f.table.is_refused_by_majority());
  f.table.refuse("1", alien, true, false);
  CHECK(!f.table.is_refused_by_majority());
  f.table.on_refused("2", alien);
  CHECK(f.table.is_refused_by_majority());
  f.table.on_up("1");
  CHECK(!f.table.is_refused_by_majority());
}

TEST_CASE("peer table: a second start is refused for a while before that counts") {
  Fixture f;
  const Refused twice{Refused::Why::twice, "running already"};
  f.table.on_refused("1", twice);
  f.table.on_refused("2", twice);
  CHECK(!f.table.is_refused_by_majority());
  f.env.now += 29'000'000;
  f.table.on_refused("1", twice);
  f.table.on_refused("2", twice);
  CHECK(!f.table.is_refused_by_majority());
  f.env.now += 1'000'000;
  f.table.on_refused("1", twice);
  f.table.on_refused("2", twice);
  CHECK(f.table.is_refused_by_majority());
  f.env.now += 61'000'000;  // long ago
  CHECK(!f.table.is_refused_by_majority());
}

TEST_CASE("peer table: the core hears once that a member is there, and once that it is gone") {
  Fixture f;
  const MemberId one{"1", 7};
  CHECK(!f.table.detach(one));
  CHECK(f.table.attach(one));
  CHECK(!f.table.attach(one));
  CHECK(f.table.is_attached(one));
  CHECK(!f.table.is_attached({"1", 8}));
  CHECK(f.table.attached() == std::vector<MemberId>{one});
  CHECK(f.table.detach(one));
  CHECK(!f.table.is_attached(one));
}

}  // namespace zatt::node
