// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/connection.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/clients.h"
#include "tests/server/clients_world.h"
#include "tests/server/text_protocol.h"

using namespace zatt;
using namespace zatt::server;

namespace {

// A node that notes what it hears, and answers what it is told to.
struct Fixture : ClientsWorld {
  std::vector<std::string> heard;
  std::vector<node::ClientId> closed;
  node::ClientId last{};
  int ends = 0;
  int rooms = 0;
  std::function<void(node::ClientId, std::string_view)> answer = [](node::ClientId,
                                                                    std::string_view) {};
  std::size_t max_line_bytes;

  explicit Fixture(const ClientLimits& limits = {})
      : ClientsWorld(limits), max_line_bytes(limits.max_line_bytes) {}

  void on_client_open(node::ClientId id) { last = id; }
  void on_line(node::ClientId id, std::string_view line, bool too_long) {
    heard.emplace_back(too_long ? "(too long)" : line);
    answer(id, line);
  }
  void on_client_end(node::ClientId id) {
    ++ends;
    clients.close(id);
  }
  void on_client_room(node::ClientId) { ++rooms; }
  void on_client_closed(node::ClientId id) { closed.push_back(id); }

  MakeProtocol text() {
    return [this](const Connection& connection) {
      return std::make_unique<TextProtocol<Fixture>>(connection, *this, max_line_bytes);
    };
  }
  void connect() { ClientsWorld::connect(text()); }
};

ClientLimits small_limits() {
  return {.max_line_bytes = 1000,
          .pause_bytes = 100'000,
          .max_waiting_bytes = 64 << 20,
          .stuck_ms = 200};
}

}  // namespace

TEST_CASE("Connection: lines in, replies out, then a half-close is answered to its end") {
  Fixture world;
  world.answer = [&](node::ClientId id, std::string_view line) {
    say(world.clients, id, "<" + std::string(line) + ">\n");
  };
  world.connect();
  world.replies.attach(world.person);
  world.person.write("one\ntwo\r\n\nthr");
  REQUIRE(world.until([&] { return world.replies.bytes == "<one>\n<two>\n"; }));
  world.person.write("ee");
  world.person.shut_down();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(world.replies.bytes == "<one>\n<two>\n<three>\n");
  CHECK(*world.replies.end == 0);
  CHECK(world.ends == 1);
  CHECK(world.closed == std::vector<node::ClientId>{world.last});
  CHECK(world.clients.connections() == 0);
  CHECK(world.log.empty());
}

TEST_CASE("Connection: lines that are not wanted wait, and the end of the stream waits with them") {
  Fixture world;
  world.answer = [&](node::ClientId id, std::string_view) {
    if (world.heard.size() == 2) world.clients.want_requests(id, false);
  };
  world.connect();
  world.replies.attach(world.person);
  world.person.write("1\n2\n3\n4\nlast");
  world.person.shut_down();
  REQUIRE(world.until([&] { return world.heard.size() == 2; }));
  world.pause(30);
  CHECK(world.heard.size() == 2);
  CHECK(world.ends == 0);
  world.clients.want_requests(world.last, true);
  CHECK(world.heard.size() == 2);  // not from within the node's call
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.ends == 1; }));
  CHECK(world.heard == std::vector<std::string>{"1", "2", "3", "4", "last"});
}

TEST_CASE("Connection: who does not read is not read from, and goes on when it reads") {
  Fixture world(small_limits());
  const std::string reply(50'000, 'r');
  world.answer = [&](node::ClientId id, std::string_view) { say(world.clients, id, reply); };
  world.connect();
  std::string asks;
  for (int i = 0; i < 1000; ++i) asks += std::to_string(i) + "\n";
  world.person.write(std::move(asks));
  std::size_t before = 1;
  REQUIRE(world.until([&] {  // until it is stuck: the sockets are full
    const bool same = world.heard.size() == before;
    before = world.heard.size();
    world.pause(10);
    return same;
  }));
  CHECK(world.heard.size() < 1000);
  CHECK(world.clients.waiting_bytes() < 200'000);  // one line's reply above the bound
  world.replies.attach(world.person);
  REQUIRE(world.until([&] { return world.replies.bytes.size() == 1000 * reply.size(); }));
  CHECK(world.heard.size() == 1000);
  CHECK(world.heard.back() == "999");
  CHECK(world.rooms > 0);
  CHECK(world.log.empty());
}

TEST_CASE("Connection: who reads nothing for long is closed, with one log line") {
  Fixture world(small_limits());
  world.answer = [&](node::ClientId id, std::string_view) {
    say(world.clients, id, std::string(1 << 20, 'r'));
  };
  world.connect();
  std::string asks;
  for (int i = 0; i < 100; ++i) asks += "ask\n";
  world.person.write(std::move(asks));
  REQUIRE(world.until([&] { return world.closed.size() == 1; }));
  CHECK(world.clients.connections() == 0);
  CHECK(world.log.find("client 127.0.0.1:") == 0);
  CHECK(world.log.find("has read nothing for 0 s while") != std::string::npos);
  CHECK(std::count(world.log.begin(), world.log.end(), '\n') == 1);
}

TEST_CASE("Connection: a slow but steady reader stays") {
  Fixture world(small_limits());
  world.answer = [&](node::ClientId id, std::string_view) {
    say(world.clients, id, std::string(1 << 20, 'r'));
  };
  world.connect();
  constexpr std::size_t whole = 32 << 20;
  std::string asks;
  for (std::size_t i = 0; i < whole >> 20; ++i) asks += "ask\n";
  world.person.write(std::move(asks));
  std::size_t got = 0;
  std::size_t enough = 0;
  world.person.set_events({.on_bytes =
                               [&](std::string_view bytes) {
                                 got += bytes.size();
                                 if (got >= enough) world.person.read_stop();
                               },
                           .on_end = nullptr,
                           .on_written = nullptr});
  int sips = 0;
  for (; got < whole && world.closed.empty(); ++sips) {
    enough = got + (512 << 10);
    world.person.read_start();
    REQUIRE(world.until([&] { return got >= std::min(enough, whole) || !world.closed.empty(); }));
    world.pause(20);
  }
  CHECK(world.closed.empty());
  CHECK(sips > 40);  // 20 ms each: far longer than stuck_ms
}

TEST_CASE("Connection: while the process itself stood still, nobody is held to have read nothing") {
  Fixture world(small_limits());
  const std::string reply(8 << 20, 'r');
  world.answer = [&](node::ClientId id, std::string_view) { say(world.clients, id, reply); };
  world.connect();
  world.person.write("1\n2\n");
  REQUIRE(world.until([&] { return world.heard.size() == 1; }));
  world.pause(60);  // looked at once, or about to be
  const std::uint64_t still_until = loop::now_us() + 400'000;
  while (loop::now_us() < still_until) {
  }
  world.replies.attach(world.person);
  REQUIRE(world.until([&] { return world.replies.bytes.size() == 2 * reply.size(); }));
  CHECK(world.closed.empty());
}

TEST_CASE("Connection: a queue past its bound closes at once") {
  ClientLimits limits = small_limits();
  limits.max_waiting_bytes = 8 << 20;
  limits.stuck_ms = 60'000;
  Fixture world(limits);
  world.connect();
  for (int i = 0; i < 20; ++i) say(world.clients, world.last, std::string(1 << 20, 'r'));
  world.turn.run_again();
  REQUIRE(world.until([&] { return world.closed.size() == 1; }));
  CHECK(world.log.find("of replies wait for it") != std::string::npos);
}

TEST_CASE("Connection: one that leaves without reading its replies is closed in the end") {
  Fixture world(small_limits());
  world.answer = [&](node::ClientId id, std::string_view) {
    for (int i = 0; i < 10; ++i) say(world.clients, id, std::string(1 << 20, 'r'));
  };
  world.connect();
  world.person.write("ask");
  world.person.shut_down();
  REQUIRE(world.until([&] { return world.closed.size() == 1; }));
  CHECK(world.ends == 1);
}

TEST_CASE("Connection: lost connections are quiet") {
  Fixture world;
  world.connect();
  const node::ClientId id = world.last;
  say(world.clients, id, std::string(20 << 20, 'r'));
  world.turn.run_again();
  world.pause(10);
  world.person = {};  // with unread replies: a reset
  REQUIRE(world.until([&] { return world.closed.size() == 1; }));
  say(world.clients, id, "to nobody");
  world.clients.want_requests(id, true);
  world.clients.close(id);
  world.pause(5);
  CHECK(world.log.empty());
}

TEST_CASE("Connection: a line over the limit is reported once") {
  Fixture world(small_limits());
  world.connect();
  world.person.write(std::string(5000, 'x'));
  world.person.write(std::string(5000, 'x') + "\nnext\n");
  REQUIRE(world.until([&] { return world.heard.size() == 2; }));
  CHECK(world.heard == std::vector<std::string>{"(too long)", "next"});
}

TEST_CASE("Clients: an idle one costs under 2 KiB here, also after it was busy") {
  Fixture world;
  world.answer = [&](node::ClientId id, std::string_view line) {
    say(world.clients, id, std::string(line) + "\n");
  };
  std::vector<loop::Stream> people;
  constexpr std::size_t count = 200;
  const auto in_use = [] { return mallinfo2().uordblks; };
  std::vector<loop::Pair> pairs;
  for (std::size_t i = 0; i < count; ++i) pairs.push_back(loop::connected_pair(world.loop));
  const std::size_t before = in_use();
  for (loop::Pair& pair : pairs)
    world.clients.add(Transport(std::move(pair.far)), world.text(), {}, false);
  for (loop::Pair& pair : pairs) pair.near.write(std::string(3000, 'x') + "\n");
  REQUIRE(world.until([&] { return world.heard.size() == count; }));
  world.heard = {};
  world.pause(20);
  const std::size_t after = in_use();
  // The stream itself was there before: about 400 bytes more.
  CHECK((after - std::min(after, before)) / count < 2048 - 400);
}

namespace {

// More people than the first, who only write.
std::vector<loop::Stream> crowd_of(Fixture& world, std::size_t size, const std::string& says) {
  std::vector<loop::Stream> crowd;
  for (std::size_t i = 0; i < size; ++i) {
    world.connect();
    world.person.write(std::string(says));
    crowd.push_back(std::move(world.person));
  }
  return crowd;
}

}  // namespace

TEST_CASE(
    "Clients: the beginnings of long lines are kept for a few at once, and all come through") {
  ClientLimits limits{.max_line_bytes = 300'000, .max_buffer_bytes = 1'200'000};
  limits.room_look_ms = 5000;
  Fixture world(limits);
  world.clients.set_request_bytes(0);
  const std::string begun(250'000, 'l');
  std::vector<loop::Stream> crowd = crowd_of(world, 40, begun);
  std::size_t before = 1;
  REQUIRE(world.until([&] {  // until nothing is read any more
    const bool same = world.clients.input_bytes() == before;
    before = world.clients.input_bytes();
    world.pause(10);
    return same;
  }));
  CHECK(before < 1'200'000);  // of 10,000,000
  CHECK(world.heard.empty());
  for (loop::Stream& person : crowd) person.write("\n");
  REQUIRE(world.until([&] { return world.heard.size() == crowd.size(); }));
  for (const std::string& line : world.heard) CHECK(line == begun);
  CHECK(world.clients.input_bytes() == 0);
}

TEST_CASE("Clients: a line that is never ended is refused once others wait") {
  ClientLimits limits{.max_line_bytes = 100'000, .max_buffer_bytes = 100'000};
  limits.room_look_ms = 5;
  Fixture world(limits);
  world.clients.set_request_bytes(0);
  std::vector<loop::Stream> crowd = crowd_of(world, 3, std::string(50'000, 'l'));
  std::vector<loop::Stream> good = crowd_of(world, 1, std::string(50'000, 'g') + "\n");
  REQUIRE(world.until([&] { return world.heard.size() == 4; }));
  CHECK(std::count(world.heard.begin(), world.heard.end(), "(refused)") == 3);
  CHECK(world.heard.back() == std::string(50'000, 'g'));
  crowd[0].write("the rest\nnext\n");
  REQUIRE(world.until([&] { return world.heard.size() == 5; }));
  CHECK(world.heard.back() == "next");
}

TEST_CASE("Clients: where others wait for room, who reads nothing is ended, the largest first") {
  ClientLimits limits{.max_line_bytes = 1000};
  limits.room_look_ms = 5;
  Fixture world(limits);
  world.answer = [&](node::ClientId id, std::string_view line) {
    say(world.clients, id, std::string(line == "much" ? 20'000'000 : 6'000'000, 'r'));
  };
  std::vector<loop::Stream> idle = crowd_of(world, 2, "much\n");
  std::vector<loop::Stream> less = crowd_of(world, 1, "less\n");
  world.connect();
  world.person.write("less\n");
  std::size_t before = 0;
  REQUIRE(world.until([&] {  // until the sockets are full
    const bool same = world.heard.size() == 4 && world.clients.waiting_bytes() == before;
    before = world.clients.waiting_bytes();
    world.pause(20);
    return same;
  }));
  world.clients.make_room();
  world.on_turn = [&, turn = world.on_turn] {
    if (world.clients.waiting_bytes() == before) world.clients.make_room();  // somebody waits
    turn();
  };
  REQUIRE(world.until([&] { return !world.closed.empty(); }));
  world.pause(50);
  CHECK(world.closed.size() == 2);  // half of all is gone
  for (const node::ClientId id : world.closed) CHECK(id <= node::ClientId{2});
  CHECK(world.log.find("others wait for room") != std::string::npos);
  world.replies.attach(world.person);  // who reads is spared
  REQUIRE(world.until([&] { return world.replies.bytes.size() == 6'000'000; }));
}
