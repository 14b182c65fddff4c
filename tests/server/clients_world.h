// SPDX-License-Identifier: AGPL-3.0-or-later
// A World with the table of clients, turned as Server does, and a person who connects to it.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <utility>

#include "tests/server/world.h"

namespace zatt::server {

struct ClientsWorld : World {
  Clients clients;
  loop::Stream person;  // the other end of the connection that connect() made last
  loop::Sink replies;   // what it hears, once it is attached

  explicit ClientsWorld(const ClientLimits& limits = {})
      : clients(loop, lingering_close, limits, logger()) {
    on_turn = [this] {
      clients.process_ready();
      clients.write_out();
      if (clients.has_work()) turn.run_again();
    };
  }

  void connect(const MakeProtocol& make, std::unique_ptr<TransportLayer> layer = nullptr) {
    loop::Pair pair = loop::connected_pair(loop);
    REQUIRE(pair.near);
    person = std::move(pair.near);
    clients.add(Transport(std::move(pair.far), std::move(layer)), make, {}, false);
  }
};

}  // namespace zatt::server
