// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/peer_links.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "codec/peer_frames.h"
#include "server/acceptor.h"
#include "tests/server/world.h"

using namespace zatt;
using namespace zatt::server;
using node::LinkId;
using node::Priority;

namespace {

struct Peer final : PeerSink {
  std::vector<LinkId> up;
  std::vector<std::optional<std::string>> dialed;
  std::vector<std::string> frames;
  std::vector<LinkId> down;
  std::vector<std::string> reasons;  // of down
  std::vector<std::string> failures;
  std::function<void(LinkId)> then = [](LinkId) {};  // after a frame
  PeerLinks links;

  Peer(World& world, std::uint64_t seed, const LinkLimits& limits)
      : links(world.loop, world.lingering_close, seed, *this, world.logger(), limits) {}

  void on_link_up(LinkId id, std::optional<std::string> whom) override {
    up.push_back(id);
    dialed.push_back(std::move(whom));
  }
  void on_frame(LinkId id, std::string_view frame) override {
    frames.emplace_back(frame);
    then(id);
  }
  void on_link_down(LinkId id, std::string_view why) override {
    down.push_back(id);
    reasons.emplace_back(why);
  }
  void on_dial_failed(const std::string& id, std::string_view why) override {
    failures.push_back(id + ": " + std::string(why));
  }

  bool turn() {
    links.reap();
    links.flush();
    return links.has_work();
  }
};

// A caller and an answerer, with a port between them.
struct Fixture : World, AcceptorOwner {
  const LinkLimits limits;
  Peer caller{*this, 1, limits};
  Peer answerer{*this, 2, limits};
  std::optional<Acceptor> acceptor;
  Address address{"127.0.0.1", 0};
  bool room = true;
  int clients = 0;

  explicit Fixture(const LinkLimits& link_limits = {}) : limits(link_limits) {
    on_turn = [this] {
      const bool a = caller.turn();
      const bool b = answerer.turn();
      if (a || b) turn.run_again();
    };
  }
  void on_peer(Transport transport, std::string_view first) override {
    answerer.links.add(std::move(transport), first);
  }
  void on_client(Transport, std::string_view, bool) override { ++clients; }
  bool has_room() const override { return room; }

  void listen() {
    auto listener = loop::Listener::bind(loop, address);
    REQUIRE(listener);
    AcceptorOwner& owner = *this;
    acceptor.emplace(lingering_close, std::move(*listener), owner, logger());
    address = acceptor->address();
    REQUIRE(acceptor->open());
  }
  void dial() {
    caller.links.dial({{"b", address}});
    turn.run_again();
  }
  void connect() {
    listen();
    dial();
    REQUIRE(until([this] { return caller.up.size() == 1 && answerer.up.size() == 1; }));
  }
};

// Who calls the answerer, and is no PeerLinks.
loop::Stream foreigner_of(Fixture& world) {
  loop::Stream foreigner;
  const loop::Connector connect(
      world.loop, world.address, 10'000,
      [&](loop::Stream stream, std::string) { foreigner = std::move(stream); });
  REQUIRE(world.until([&] { return static_cast<bool>(foreigner); }));
  return foreigner;
}
loop::Stream greeted_foreigner(Fixture& world) {
  loop::Stream foreigner = foreigner_of(world);
  foreigner.write(std::string(codec::peer_magic));
  REQUIRE(world.until([&] { return world.answerer.up.size() == 1; }));
  return foreigner;
}

}  // namespace

TEST_CASE("PeerLinks: dials, and frames pass both ways") {
  Fixture world;
  world.connect();
  CHECK(world.caller.dialed.back() == "b");
  CHECK(!world.answerer.dialed.back());
  const std::string big(codec::max_frame_bytes, 'b');
  world.caller.links.send(LinkId{1}, Priority::bulk, "hello");
  world.caller.links.send(LinkId{1}, Priority::bulk, big);
  world.answerer.links.send(LinkId{1}, Priority::control, "");
  world.turn.run_again();
  REQUIRE(world.until(
      [&] { return world.answerer.frames.size() == 2 && world.caller.frames.size() == 1; }));
  CHECK(world.answerer.frames == std::vector<std::string>{"hello", big});
  CHECK(world.caller.frames == std::vector<std::string>{""});
}

TEST_CASE("PeerLinks: control overtakes bulk that waits; each keeps its own order") {
  Fixture world;
  world.connect();
  constexpr int count = 400;  // 24 MiB: more than sockets hold
  for (int i = 0; i < count; ++i)
    world.caller.links.send(LinkId{1}, Priority::bulk,
                            "b" + std::to_string(i) + std::string(60'000, ' '));
  world.caller.links.flush();
  for (int i = 0; i < 3; ++i)
    world.caller.links.send(LinkId{1}, Priority::control, "c" + std::to_string(i));
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.answerer.frames.size() == count + 3; }));
  std::size_t last_control = 0;
  int next_bulk = 0;
  int next_control = 0;
  for (std::size_t i = 0; i < world.answerer.frames.size(); ++i) {
    const std::string& frame = world.answerer.frames[i];
    const bool control = frame[0] == 'c';
    const int number = std::stoi(frame.substr(1));
    CHECK(number == (control ? next_control++ : next_bulk++));
    if (control) last_control = i;
  }
  // Before it: what the kernel held unsent or in flight, and what was handed over.
  CHECK(last_control < 150);
}

TEST_CASE("PeerLinks: dials again, after growing waits, when a link or an attempt fails") {
  Fixture world;
  world.listen();
  world.acceptor.reset();  // the port is known, and nobody is there
  world.dial();
  REQUIRE(world.until([&] { return world.caller.failures.size() == 3; }));
  CHECK(world.caller.failures[0] == "b: nothing listens there");
  world.listen();
  REQUIRE(world.until([&] { return world.answerer.up.size() == 1; }));
  world.answerer.links.close(LinkId{1});
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.caller.up.size() == 2; }));
  CHECK(world.caller.down == std::vector{LinkId{1}});
  CHECK(world.caller.up == std::vector{LinkId{1}, LinkId{2}});
  world.pause(300);
  CHECK(world.caller.up.size() == 2);  // while a link lives, no other is made
  CHECK(world.log.empty());
}

TEST_CASE("PeerLinks: a peer no longer named is not dialed, its link stays") {
  Fixture world;
  world.connect();
  world.caller.links.dial({});
  world.turn.run_again();
  world.pause(20);
  CHECK(world.caller.down.empty());
  world.caller.links.close(LinkId{1});
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.caller.down.size() == 1; }));
  world.pause(200);
  CHECK(world.caller.up.size() == 1);
}

TEST_CASE("PeerLinks: named again while its link is there, it is not called twice") {
  Fixture world;
  world.connect();
  world.caller.links.dial({});
  world.turn.run_again();
  world.pause(5);
  world.dial();
  world.pause(200);
  CHECK(world.caller.up.size() == 1);
  world.caller.links.close(LinkId{1});
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.caller.up.size() == 2; }));
}

TEST_CASE("PeerLinks: a closed link sends what it was given, reads no more, and says so later") {
  Fixture world;
  world.connect();
  world.answerer.then = [&](LinkId id) {
    world.answerer.links.send(id, Priority::control, "refused: another cluster");
    world.answerer.links.close(id);
    CHECK(world.answerer.down.empty());  // never from within the call
  };
  for (int i = 0; i < 5; ++i) world.caller.links.send(LinkId{1}, Priority::bulk, "hello");
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.caller.down.size() == 1; }));
  CHECK(world.caller.frames == std::vector<std::string>{"refused: another cluster"});
  CHECK(world.answerer.frames.size() == 1);
  CHECK(world.answerer.down == std::vector{LinkId{1}});
}

TEST_CASE("PeerLinks: an impossible length ends the link") {
  Fixture world;
  world.listen();
  loop::Stream foreigner = foreigner_of(world);
  loop::Sink sink;
  sink.attach(foreigner);
  foreigner.write(std::string(codec::peer_magic) + "\xff\xff\xff\xff garbage");
  REQUIRE(world.until([&] { return world.answerer.down.size() == 1 && sink.end; }));
  CHECK(world.answerer.frames.empty());
}

TEST_CASE("PeerLinks: what answers but is no node is named") {
  Fixture world;
  auto listener = loop::Listener::bind(world.loop, {"127.0.0.1", 0});
  REQUIRE(listener);
  world.address = listener->local();
  std::vector<loop::Stream> taken;
  std::string says;
  REQUIRE(listener->listen({.on_connection =
                                [&](loop::Stream stream) {
                                  std::string words = says;
                                  stream.write(std::move(words));
                                  taken.push_back(std::move(stream));
                                  if (says.empty()) taken.clear();
                                },
                            .on_shortage = [](int) {}}));
  SUBCASE("another service") {
    says = "SSH-2.0";
    world.dial();
    REQUIRE(world.until([&] { return !world.caller.failures.empty(); }));
    CHECK(world.caller.failures[0] == "b: what answers there is not a zatt node");
  }
  SUBCASE("one that hangs up") {
    world.dial();
    REQUIRE(world.until([&] { return !world.caller.failures.empty(); }));
    CHECK(world.caller.failures[0].find("closed the connection at once") != std::string::npos);
  }
  CHECK(world.caller.down.size() == 1);
}

TEST_CASE("PeerLinks: what waits is known, and falls as the peer reads") {
  Fixture world;
  world.connect();
  CHECK(world.caller.links.unsent_bytes(LinkId{1}) == 0);
  CHECK(world.caller.links.unsent_bytes(LinkId{7}) == 0);  // there is no such link
  const std::string frame(60'000, 'x');
  for (int i = 0; i < 400; ++i) world.caller.links.send(LinkId{1}, Priority::bulk, frame);
  CHECK(world.caller.links.unsent_bytes(LinkId{1}) == 400 * (codec::frame_length_bytes + 60'000));
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.answerer.frames.size() == 400; }));
  CHECK(world.until([&] { return world.caller.links.unsent_bytes(LinkId{1}) == 0; }));
}

TEST_CASE("PeerLinks: a peer that takes nothing for a time is given up") {
  Fixture world({.stuck_ms = 200});
  world.listen();
  loop::Stream foreigner = greeted_foreigner(world);
  SUBCASE("while something waits for it") {
    for (int i = 0; i < 400; ++i)
      world.answerer.links.send(LinkId{1}, Priority::bulk, std::string(60'000, 'x'));
    world.turn.run_again();
    REQUIRE(world.until([&] { return world.answerer.down.size() == 1; }));
    CHECK(world.answerer.reasons[0].find("it has taken nothing for") == 0);
  }
  SUBCASE("not where nothing does") {
    world.answerer.links.send(LinkId{1}, Priority::bulk, "x");
    world.turn.run_again();
    world.pause(600);
    CHECK(world.answerer.down.empty());
  }
}

TEST_CASE("PeerLinks: a peer that takes little is kept") {
  Fixture world({.stuck_ms = 400});
  world.listen();
  loop::Stream foreigner = greeted_foreigner(world);
  for (int i = 0; i < 400; ++i)
    world.answerer.links.send(LinkId{1}, Priority::bulk, std::string(60'000, 'x'));
  world.turn.run_again();
  // So much in each of many times in which nothing at all would be the end of it.
  std::size_t taken = 0;
  foreigner.set_events({.on_bytes =
                            [&](std::string_view bytes) {
                              taken += bytes.size();
                              if (taken > 400'000) foreigner.read_stop();
                            },
                        .on_end = [](int) {},
                        .on_written = [] {}});
  for (int i = 0; i < 16; ++i) {
    taken = 0;
    foreigner.read_start();
    world.pause(80);
  }
  CHECK(world.answerer.down.empty());
  CHECK(world.answerer.links.unsent_bytes(LinkId{1}) > 0);
}

TEST_CASE("PeerLinks: a peer for which too much waits is given up at the bound") {
  Fixture world({.max_unsent_bytes = 64 << 20});
  world.listen();
  loop::Stream foreigner = greeted_foreigner(world);
  for (int i = 0; i < 2000 && world.answerer.down.empty(); ++i) {
    world.answerer.links.send(LinkId{1}, Priority::bulk, std::string(60'000, 'x'));
    if (i % 100 == 0) world.pause(1);
  }
  world.turn.run_again();
  CHECK(world.until([&] { return world.answerer.down.size() == 1; }));
}
