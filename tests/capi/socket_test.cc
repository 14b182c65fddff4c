// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/socket.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <cerrno>
#include <string>

#include "tests/capi/clients.h"
#include "tests/support/own_port.h"

using namespace zatt;
using capi::test::Client;
using capi::test::client_of;

TEST_CASE("client socket: a connection to itself is a refused one, and keeps no port") {
  const std::uint16_t port = test::free_port();
  const auto address = loop::numeric({"127.0.0.1", port});
  REQUIRE(address);
  test::own_port = port;
  capi::Socket socket;
  REQUIRE(socket.connect(*address));
  test::own_port = 0;
  pollfd polled = {socket.fd(), POLLOUT, 0};
  REQUIRE(poll(&polled, 1, 5'000) == 1);
  REQUIRE(loop::is_connected_to_itself(socket.fd()));
  const auto connected = socket.connected();
  REQUIRE(connected);
  REQUIRE_FALSE(*connected);
  CHECK(connected->error().sys == ECONNREFUSED);
  CHECK_FALSE(test::is_free(port));
  socket.give_up();
  CHECK(test::is_free(port));  // for the server that is to start there
}

TEST_CASE("zatt_client: its own echo is no server") {
  const std::uint16_t port = test::free_port();
  const std::string server = "127.0.0.1:" + std::to_string(port);
  {
    const Client client = client_of(server, 250);
    test::met_themselves = 0;
    test::own_port = port;
    CHECK(zatt_client_set(client.get(), "k", "1", nullptr) == ZATT_ENOSERVER);
    test::own_port = 0;
    CHECK(test::met_themselves > 1);  // each attempt found the port free again
    CHECK(std::string(zatt_client_message(client.get())) ==
          "no server answered: " + server + ": Connection refused");
  }
  CHECK(test::is_free(port));
}
