// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/json_lines_protocol.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/clients_world.h"

using namespace zatt;
using namespace zatt::server;

namespace {

// A node that says "done" to each request, and to what is none, why.
struct Fixture : ClientsWorld {
  codec::JsonRequestParser parser;
  std::vector<codec::Request> requests;

  Fixture() {
    connect([this](const Connection& connection) {
      return std::make_unique<JsonLinesProtocol<Fixture>>(connection, *this, parser, 100);
    });
    replies.attach(person);
  }

  void on_client_open(node::ClientId) {}
  void on_request(node::ClientId id, codec::Request request) {
    if (const auto* malformed = std::get_if<codec::Malformed>(&request.operation))
      clients.respond(id, request, malformed->failure);
    else
      clients.respond(id, request, codec::Done{});
    requests.push_back(std::move(request));
  }
  void on_client_end(node::ClientId id) { clients.close(id); }
  void on_client_room(node::ClientId) {}
  void on_client_closed(node::ClientId) {}
};

}  // namespace

TEST_CASE(
    "JsonLinesProtocol: lines become requests, and responses lines, to the end of the stream") {
  Fixture world;
  world.person.write("{\"op\":\"ping\",\"id\":1}\n\n{\"op\":\"get\",\"key\":\"a\"}\r\n" +
                     std::string(101, 'x') + "\nno JSON\n{\"op\":\"ping\",\"id\":\"last\"}");
  world.person.shut_down();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  REQUIRE(world.requests.size() == 5);
  CHECK(std::holds_alternative<codec::Ping>(world.requests[0].operation));
  const auto* read = std::get_if<codec::Read>(&world.requests[1].operation);
  REQUIRE(read);
  CHECK(std::get<codec::Get>(read->query).key == "a");
  const auto* too_long = std::get_if<codec::Malformed>(&world.requests[2].operation);
  REQUIRE(too_long);
  CHECK(too_long->failure.code == codec::ErrorCode::too_large);
  CHECK(too_long->failure.message.find("up to 100 bytes") != std::string::npos);
  const std::string& said = world.replies.bytes;
  CHECK(said.find("{\"ok\":true,\"id\":1}\n{\"ok\":true}\n{\"ok\":false,\"error\":\"too_large\"") ==
        0);
  CHECK(said.find("\"error\":\"bad_request\"") != std::string::npos);
  CHECK(said.ends_with("{\"ok\":true,\"id\":\"last\"}\n"));
}
