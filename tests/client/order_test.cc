// SPDX-License-Identifier: AGPL-3.0-or-later
// What is asked on one client keeps its order, whatever is refused meanwhile.
#include <doctest/doctest.h>

#include "tests/client/stage.h"

using namespace zatt;
using namespace zatt::client;
using namespace zatt::client::test;

TEST_CASE("what is refused is not asked again behind what it must not change places with") {
  for (const bool refused_writes : {false, true}) {
    for (const bool later_writes : {false, true}) {
      CAPTURE(refused_writes);
      CAPTURE(later_writes);
      Stage stage({a});
      const Token token = stage.ask(refused_writes ? set("k") : get("k"));
      const Token later = stage.ask(later_writes ? set("k") : get("k"));
      stage.greet();
      REQUIRE(stage.lines().size() == 2);
      stage.say("{\"ok\":false,\"error\":\"overloaded\",\"message\":\"so\"}\n");
      CHECK(stage.done.count(later) == 0);
      stage.pass(second);
      if (refused_writes || later_writes) {
        REQUIRE(stage.done.count(token) == 1);
        CHECK(stage.done.at(token).outcome == Outcome::overloaded);
        CHECK(stage.lines().empty());
      } else {  // two reads may change places
        CHECK(stage.done.count(token) == 0);
        CHECK(stage.lines().size() == 1);
      }
    }
  }
}
