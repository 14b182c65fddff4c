// SPDX-License-Identifier: AGPL-3.0-or-later
// What is asked on one client keeps its order, whatever is refused meanwhile.
#include <doctest/doctest.h>

#include "tests/client/client_fixture.h"

using namespace zatt;
using namespace zatt::client;
using namespace zatt::client::test;

TEST_CASE("what is refused is not asked again behind what it must not change places with") {
  for (const bool refused_writes : {false, true}) {
    for (const bool later_writes : {false, true}) {
      CAPTURE(refused_writes);
      CAPTURE(later_writes);
      ClientFixture fixture({a});
      const Token token = fixture.ask(refused_writes ? set("k") : get("k"));
      const Token later = fixture.ask(later_writes ? set("k") : get("k"));
      fixture.greet();
      REQUIRE(fixture.lines().size() == 2);
      fixture.say("{\"ok\":false,\"error\":\"overloaded\",\"message\":\"so\"}\n");
      CHECK(fixture.done.count(later) == 0);
      fixture.pass(second);
      if (refused_writes || later_writes) {
        REQUIRE(fixture.done.count(token) == 1);
        CHECK(fixture.done.at(token).outcome == Outcome::overloaded);
        CHECK(fixture.lines().empty());
      } else {  // two reads may change places
        CHECK(fixture.done.count(token) == 0);
        CHECK(fixture.lines().size() == 1);
      }
    }
  }
}
