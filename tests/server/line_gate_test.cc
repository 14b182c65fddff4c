// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/line_gate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/server/world.h"

using namespace zatt;
using namespace zatt::server;

namespace {

struct Fixture : World {
  std::vector<node::ClientId> entered, refused;
  LineGate gate{loop,
                5,
                {.on_entered = [this](node::ClientId id) { entered.push_back(id); },
                 .on_refused =
                     [this](node::ClientId id) {
                       refused.push_back(id);
                       gate.leave(id);
                     }}};
};

node::ClientId client(std::uint64_t number) { return node::ClientId{number}; }

}  // namespace

TEST_CASE("LineGate: as many as there is room for, the others in order") {
  Fixture world;
  world.gate.set_room(2);
  CHECK(world.gate.enter(client(1)));
  CHECK(world.gate.enter(client(2)));
  CHECK_FALSE(world.gate.enter(client(3)));
  CHECK_FALSE(world.gate.enter(client(4)));
  CHECK_FALSE(world.gate.enter(client(5)));
  world.gate.leave(client(4));  // it waits, and is gone
  world.gate.leave(client(1));
  CHECK(world.entered == std::vector{client(3)});
  CHECK(world.gate.is_inside(client(3)));
  world.gate.set_room(1);
  world.gate.leave(client(2));
  CHECK(world.entered.size() == 1);
  world.gate.leave(client(3));
  CHECK(world.entered.back() == client(5));
  CHECK_FALSE(world.gate.enter(client(6)));
  world.gate.set_room(2);
  CHECK(world.entered.back() == client(6));
}

TEST_CASE("LineGate: who has waited for too long is refused") {
  Fixture world;
  world.gate.set_room(0);
  CHECK_FALSE(world.gate.enter(client(1)));
  REQUIRE(world.until([&] { return !world.refused.empty(); }));
  CHECK(world.refused == std::vector{client(1)});
  world.gate.set_room(1);
  CHECK(world.entered.empty());
  CHECK(world.gate.enter(client(2)));
}

TEST_CASE("LineGate: while others wait, who sends nothing loses its line, and who takes too long") {
  Fixture world;
  world.gate.set_room(2);
  CHECK(world.gate.enter(client(1)));
  CHECK(world.gate.enter(client(2)));
  world.pause(100);
  CHECK(world.refused.empty());  // nobody waits
  CHECK_FALSE(world.gate.enter(client(3)));
  world.on_turn = [&] { world.gate.on_bytes(client(2)); };
  REQUIRE(world.until([&] { return !world.refused.empty(); }));
  CHECK(world.refused == std::vector{client(1)});
  CHECK(world.entered == std::vector{client(3)});
  CHECK_FALSE(world.gate.enter(client(4)));
  CHECK_FALSE(world.gate.enter(client(5)));
  REQUIRE(world.until([&] { return world.gate.is_inside(client(5)); }));
  CHECK(world.refused == std::vector{client(1), client(3), client(4)});
  for (std::uint64_t more = 6; more <= 20; ++more) CHECK_FALSE(world.gate.enter(client(more)));
  REQUIRE(world.until([&] {
    return std::find(world.refused.begin(), world.refused.end(), client(2)) != world.refused.end();
  }));
}
