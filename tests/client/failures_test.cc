// SPDX-License-Identifier: AGPL-3.0-or-later
// What is said of servers that do not answer, and of those that know no leader.
#include <doctest/doctest.h>

#include <string>

#include "client/client.h"
#include "tests/client/client_fixture.h"

using namespace zatt;
using namespace zatt::client;
using namespace zatt::client::test;

TEST_CASE("why there is no leader is said in a server's words") {
  ClientFixture fixture({a});
  const Token token = fixture.ask(set("k"), second);
  fixture.connected();
  fixture.lines();
  std::string status = ClientFixture::status("a", nullptr);
  status.insert(status.size() - 2, ",\"notice\":\"no majority is connected: node b\"");
  fixture.say(status);
  fixture.closed("Connection refused");
  fixture.refuse_all(2 * second);
  CHECK(fixture.done.at(token).message.find(
            "no server answered: 127.0.0.1:1: Connection refused") == 0);

  ClientFixture told({a});
  const Token other = told.ask(set("k"), 40'000);
  told.connected();
  told.lines();
  told.say(status);
  told.pass(50'000);
  CHECK(told.done.at(other).outcome == Outcome::no_leader);
  CHECK(told.done.at(other).message ==
        "no server knew a leader in time; 127.0.0.1:1: no majority is connected: node b");
}

TEST_CASE("all that did not answer are named") {
  ClientFixture fixture({a, b, c});
  const Token token = fixture.ask(set("k"), second);
  fixture.refuse_all(2 * second);
  CHECK(fixture.done.at(token).message ==
        "no server answered: 127.0.0.1:1: Connection refused; 127.0.0.1:2: Connection refused; "
        "127.0.0.1:3: Connection refused");
}

TEST_CASE("one that hangs to the end is named, too") {
  ClientFixture fixture({a}, second);
  const Token token = fixture.ask(set("k"));
  fixture.connected();
  fixture.pass(second);
  CHECK(fixture.done.at(token).outcome == Outcome::no_server);
  CHECK(fixture.done.at(token).message ==
        "no server answered: 127.0.0.1:1: it did not answer in time");
}

TEST_CASE("a server that hangs takes no more than its share of a short time") {
  ClientFixture fixture({a, b, c});
  fixture.ask(set("k"), 600'000);
  CHECK(fixture.server() == a);
  fixture.pass(201'000);
  CHECK(fixture.server() == b);
}

TEST_CASE("who is left does not send us to a leader that could not be reached") {
  ClientFixture fixture({a});
  fixture.ask(set("k"));
  fixture.greet("a", "c");
  fixture.closed("Connection refused");
  fixture.reconnect();
  REQUIRE(fixture.server() == a);
  fixture.greet("a", "c");
  REQUIRE(fixture.server() == a);
  CHECK(fixture.lines().size() == 1);
  fixture.say("{\"ok\":false,\"error\":\"shutting_down\",\"message\":\"\"}\n");
  CHECK(fixture.server() == b);
}
