// SPDX-License-Identifier: AGPL-3.0-or-later
// What another protocol, and encryption beneath any of them, need of the server: here made up, and
// nothing of the others touched. An echo that answers PING and speaks unasked; and bytes scrambled.
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/clients.h"
#include "tests/server/clients_world.h"
#include "tests/server/text_protocol.h"

using namespace zatt;
using namespace zatt::server;

namespace {

std::string scrambled(std::string_view bytes) {
  std::string out(bytes);
  for (char& c : out) c = static_cast<char>(c ^ 0x5a);
  return out;
}

// A layer with a handshake: each side's first byte is '!', and nothing is sealed before the other's
// has come.
class Scrambler final : public TransportLayer {
 public:
  bool open(std::string_view wire, std::string& plain, std::string& answer) override {
    if (!is_open_ && !wire.empty()) {
      if (wire.front() != '!') return false;
      is_open_ = true;
      wire.remove_prefix(1);
      answer += "!" + scrambled(std::exchange(early_, {}));
    }
    plain += scrambled(wire);
    return true;
  }
  void seal(std::string_view plain, std::string& wire) override {
    if (is_open_)
      wire += scrambled(plain);
    else
      early_ += plain;
  }

 private:
  bool is_open_ = false;
  std::string early_;
};

// A word and a space at a time: PING is answered with PONG, all else with itself; "tick " comes
// unasked.
class Echo final : public ServerProtocol {
 public:
  Echo(Connection& connection, loop::Loop& loop)
      : connection_(connection), tick_(loop, [this] { connection_.write("tick "); }) {}

  bool on_bytes(std::string_view bytes) override {
    kept_ += bytes;
    for (std::size_t end; (end = kept_.find(' ')) != std::string::npos; kept_.erase(0, end + 1)) {
      if (!connection_.wants_requests()) return false;
      const std::string word = kept_.substr(0, end);
      if (word == "TICK") tick_.start(1);
      connection_.write(word == "PING" ? "PONG " : word + " ");
    }
    return true;
  }
  void on_end() override { connection_.close(); }
  void write_response(const codec::Request&, const codec::Response&, std::string&) override {}

 private:
  Connection& connection_;
  loop::Timer tick_;
  std::string kept_;
};

struct Fixture : ClientsWorld {
  std::vector<std::string> lines;  // of those who speak lines

  void on_client_open(node::ClientId) {}
  void on_line(node::ClientId id, std::string_view line, bool) {
    lines.emplace_back(line);
    say(clients, id, "{}\n");
  }
  void on_client_end(node::ClientId id) { clients.close(id); }
  void on_client_room(node::ClientId) {}
  void on_client_closed(node::ClientId) {}

  MakeProtocol echo() {
    return [this](Connection& connection) { return std::make_unique<Echo>(connection, loop); };
  }
  MakeProtocol text() {
    return [this](Connection& connection) {
      return std::make_unique<TextProtocol<Fixture>>(connection, *this, 1000);
    };
  }
  void connect(const MakeProtocol& make, std::unique_ptr<TransportLayer> layer) {
    ClientsWorld::connect(make, std::move(layer));
    replies = {};
    replies.attach(person);
  }
  bool reads(const std::string& bytes) {
    return until([&] { return replies.bytes == bytes; });
  }
};

}  // namespace

TEST_CASE("ServerProtocol: another one is served like lines, and speaks unasked") {
  Fixture world;
  world.connect(world.echo(), nullptr);
  world.person.write("PING hel");
  REQUIRE(world.reads("PONG "));
  world.person.write("lo TICK ");
  REQUIRE(world.reads("PONG hello TICK tick "));
  world.person.shut_down();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(*world.replies.end == 0);
  CHECK(world.until([&] { return world.clients.connections() == 0; }));
  CHECK(world.log.empty());
}

TEST_CASE("TransportLayer: beneath any protocol, which knows nothing of it") {
  Fixture world;
  world.connect(world.echo(), std::make_unique<Scrambler>());
  world.person.write("!" + scrambled("PING TI"));
  REQUIRE(world.reads("!" + scrambled("PONG ")));
  world.person.write(scrambled("CK "));
  REQUIRE(world.reads("!" + scrambled("PONG TICK tick ")));
  world.connect(world.text(), std::make_unique<Scrambler>());
  world.person.write("!");
  REQUIRE(world.reads("!"));
  world.person.write(scrambled("one\ntwo\nlast"));
  world.person.shut_down();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(world.lines == std::vector<std::string>{"one", "two", "last"});
  CHECK(world.replies.bytes == "!" + scrambled("{}\n{}\n{}\n"));
}

TEST_CASE("TransportLayer: whoever breaks its rules is closed, and the protocol hears nothing") {
  Fixture world;
  world.connect(world.text(), std::make_unique<Scrambler>());
  world.person.write("plain text\n");
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(world.lines.empty());
  CHECK(world.until([&] { return world.clients.connections() == 0; }));
}
