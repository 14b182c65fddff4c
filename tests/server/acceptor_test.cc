// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/acceptor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/peer_frames.h"
#include "tests/server/world.h"

using namespace zatt;
using namespace zatt::server;
using namespace std::string_view_literals;

namespace {

struct Fixture : World, AcceptorOwner {
  std::vector<std::string> peers;
  std::vector<std::string> clients;
  std::vector<Transport> taken;
  bool room = true;
  std::unique_ptr<Acceptor> acceptor;

  Fixture() {
    auto listener = loop::Listener::bind(loop, {"127.0.0.1", 0});
    REQUIRE(listener);
    AcceptorOwner& owner = *this;
    acceptor = std::make_unique<Acceptor>(lingering_close, std::move(*listener), owner, logger());
    REQUIRE(acceptor->open());
  }
  void on_peer(Transport transport, std::string_view first) override {
    peers.emplace_back(first);
    taken.push_back(std::move(transport));
  }
  void on_client(Transport transport, std::string_view first, bool ended) override {
    clients.push_back(std::string(first) + (ended ? "|" : ""));
    for (std::size_t i = 0; i < loop::Loop::read_slack_bytes; ++i)
      slack += first.data()[first.size() + i];
    taken.push_back(std::move(transport));
  }
  bool has_room() const override { return room; }

  loop::Stream caller() {
    loop::Stream result;
    loop::Connector connect(loop, acceptor->address(), 10'000,
                            [&](loop::Stream stream, std::string) { result = std::move(stream); });
    REQUIRE(until([&] { return static_cast<bool>(result); }));
    return result;
  }
  std::string slack;
};

}  // namespace

TEST_CASE("Acceptor: callers reach their rooms, whole or byte by byte") {
  for (const bool bytewise : {false, true}) {
    CAPTURE(bytewise);
    Fixture world;
    const auto say = [&](loop::Stream& stream, std::string_view bytes) {
      const std::size_t step = bytewise ? 1 : bytes.size();
      for (std::size_t i = 0; i < bytes.size(); i += step) {
        stream.write(std::string(bytes.substr(i, step)));
        world.pause(2);
      }
    };
    loop::Stream peer = world.caller();
    say(peer, std::string(codec::peer_magic) + "f");
    REQUIRE(world.until([&] { return world.peers.size() == 1; }));
    CHECK(world.peers[0] == (bytewise ? "" : "f"));

    loop::Stream client = world.caller();
    say(client, "GETTY");
    REQUIRE(world.until([&] { return world.clients.size() == 1; }));
    CHECK(world.clients[0] == (bytewise ? "GETT" : "GETTY"));

    loop::Stream browser = world.caller();
    loop::Sink reply;
    reply.attach(browser);
    say(browser, "GET / HTTP/1.1\r\n\r\n");
    REQUIRE(world.until([&] { return reply.end.has_value(); }));
    CHECK(reply.bytes == rejection_of(Protocol::http));
    CHECK(*reply.end == 0);
    CHECK(world.acceptor->size() == 0);
  }
}

TEST_CASE("Acceptor: a foreign caller that keeps talking still reads its answer") {
  Fixture world;
  loop::Stream browser = world.caller();
  loop::Sink reply;
  browser.write("POST /upload HTTP/1.1\r\n" + std::string(5 << 20, 'x'));
  reply.attach(browser);
  REQUIRE(world.until([&] { return reply.end.has_value(); }));
  CHECK(reply.bytes == rejection_of(Protocol::http));
}

TEST_CASE("Acceptor: those who leave before they said who they are") {
  Fixture world;
  world.caller() = {};
  loop::Stream half = world.caller();
  half.write("GET");
  world.pause(5);
  half.shut_down();
  REQUIRE(world.until([&] { return world.clients.size() == 1; }));
  CHECK(world.clients[0] == "GET|");
  CHECK(world.until([&] { return world.acceptor->size() == 0; }));
}

TEST_CASE("Acceptor: without room clients are closed, and one line says so; peers come in") {
  Fixture world;
  world.room = false;
  for (int i = 0; i < 3; ++i) {
    loop::Stream caller = world.caller();
    loop::Sink sink;
    sink.attach(caller);
    caller.write("{\n");
    REQUIRE(world.until([&] { return sink.end.has_value(); }));
  }
  CHECK(world.clients.empty());
  CHECK(world.log.find("too many connections") == 0);
  CHECK(std::count(world.log.begin(), world.log.end(), '\n') == 1);
  std::vector<loop::Stream> silent;  // more than may wait
  for (int i = 0; i < 40; ++i) silent.push_back(world.caller());
  loop::Stream peer = world.caller();
  peer.write(std::string(codec::peer_magic) + "hello");
  REQUIRE(world.until([&] { return world.peers.size() == 1; }));
  CHECK(world.peers[0] == "hello");
  CHECK(world.acceptor->size() <= 16);
  world.room = true;
  loop::Stream caller = world.caller();
  caller.write("{\n");
  CHECK(world.until([&] { return world.clients.size() == 1; }));
}
