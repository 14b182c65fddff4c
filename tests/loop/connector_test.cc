// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/connector.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>

#include "tests/loop/harness.h"
#include "tests/support/own_port.h"

using namespace zatt::loop;

TEST_CASE("Connector: by name, each of its addresses in turn") {
  Loop loop;
  auto listener = Listener::bind(loop, {"127.0.0.1", 0});
  REQUIRE(listener);
  REQUIRE(listener->listen({.on_connection = [](Stream) {}, .on_shortage = [](int) {}}));
  std::optional<bool> connected;
  std::string why;
  // Where localhost is ::1 first, that attempt is refused and the next address is tried.
  Connector connect(loop, {"localhost", listener->local().port}, 5000,
                    [&](Stream stream, std::string reason) {
                      connected = static_cast<bool>(stream);
                      why = std::move(reason);
                    });
  REQUIRE(run_until(loop, [&] { return connected.has_value(); }));
  CHECK(*connected);
  CHECK(why.empty());
}

TEST_CASE("Connector: failures in plain words") {
  Loop loop;
  std::string why;
  bool done = false;
  const auto attempt = [&](const zatt::Address& address) {
    done = false;
    Connector connect(loop, address, 10'000, [&](Stream, std::string reason) {
      done = true;
      why = std::move(reason);
    });
    REQUIRE(run_until(loop, [&] { return done; }));
    return why;
  };
  CHECK(attempt({"127.0.0.1", 1}) == "nothing listens there");
  const std::string named = attempt({"localhost", 1});
  CHECK(named.find("nothing listens there (") == 0);  // with the address that the name had
  CHECK(attempt({"no such host", 1}).find("cannot look up \"no such host\": ") == 0);
}

TEST_CASE("Connector: a connection to itself is a refused one, and keeps no port") {
  Loop loop;
  const std::uint16_t port = zatt::test::free_port();
  zatt::test::met_themselves = 0;
  zatt::test::own_port = port;
  std::optional<std::string> why;
  Connector connect(loop, {"127.0.0.1", port}, 10'000, [&](Stream stream, std::string reason) {
    CHECK_FALSE(static_cast<bool>(stream));
    why = std::move(reason);
  });
  REQUIRE(run_until(loop, [&] { return why.has_value(); }));
  zatt::test::own_port = 0;
  CHECK(zatt::test::met_themselves == 1);
  CHECK(*why == "nothing listens there");
  CHECK(run_until(loop, [&] { return zatt::test::is_free(port); }));
}

TEST_CASE("Connector: destroyed before, and from, its answer") {
  Loop loop;
  int calls = 0;
  {
    Connector by_number(loop, {"127.0.0.1", 1}, 1000, [&](Stream, std::string) { ++calls; });
    Connector by_name(loop, {"localhost", 1}, 1000, [&](Stream, std::string) { ++calls; });
    loop.run_ready();  // both begin; a refusal by this machine may be there at once
  }
  calls = 0;
  std::unique_ptr<Connector> suicidal;
  suicidal = std::make_unique<Connector>(loop, zatt::Address{"127.0.0.1", 1}, 1000,
                                         [&](Stream, std::string) {
                                           ++calls;
                                           suicidal.reset();
                                         });
  REQUIRE(run_until(loop, [&] { return suicidal == nullptr; }));
  CHECK(loop.drain(5000));
  CHECK(calls == 1);
}
