// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/server.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/json_request.h"
#include "codec/json_response.h"
#include "kv/command.h"
#include "kv/machine.h"
#include "tests/server/world.h"
#include "tests/support/host_requests.h"

using namespace zatt;
using namespace zatt::server;

namespace {

// Files in memory. `broken`: every sync fails, as a dying disk's does.
class MemoryDisk final : public storage::Disk {
 public:
  explicit MemoryDisk(const bool& broken) : broken_(broken) {}

  Result<std::vector<std::string>> list() override {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : files_) names.push_back(name);
    return names;
  }
  Result<std::uint64_t> size(const std::string& name) override { return files_[name].size(); }
  Result<std::string> read(const std::string& name, std::uint64_t offset,
                           std::uint64_t length) override {
    const std::string& bytes = files_[name];
    return offset < bytes.size() ? bytes.substr(offset, length) : std::string();
  }
  Status write(const std::string& name, std::uint64_t offset, std::string_view bytes) override {
    std::string& file = files_[name];
    if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(offset));
    return ok;
  }
  Status sync(const std::string& name) override {
    if (broken_) return Error{Code::io, EIO, "sync", name};
    return ok;
  }
  Status push(const std::string&, std::uint64_t, std::uint64_t) override { return ok; }
  Status rename(const std::string& from, const std::string& to) override {
    files_[to] = std::move(files_[from]);
    files_.erase(from);
    return ok;
  }
  Status remove(const std::string& name) override {
    files_.erase(name);
    return ok;
  }
  Status sync_directory() override { return ok; }

 private:
  const bool& broken_;  // changed only while no batch is under way
  std::map<std::string, std::string> files_;
};

constexpr std::size_t max_line_bytes = 4096;

// A node of its own, served, and a person connected to it.
struct Fixture : World {
  bool broken = false;
  bool own_machine = false;
  std::optional<node::StopReason> stopped;
  std::vector<node::NodeState> states;
  kv::Machine store;
  std::unique_ptr<node::Service> service;
  std::unique_ptr<zatt::server::Server> server;
  loop::Stream person;
  loop::Sink replies;

  explicit Fixture(bool has_own_machine = false) : own_machine(has_own_machine) {
    ClientLimits limits;
    limits.max_line_bytes = max_line_bytes;
    auto created = zatt::server::Server::create(
        loop, {"127.0.0.1", 0}, limits,
        {.log = logger(),
         .on_stopped =
             [this](node::StopReason reason) {
               stopped = reason;
               turn.run_again();  // nothing else may happen that would end this turn's wait
             },
         .on_state = [this](const node::NodeState& state) { states.push_back(state); }});
    REQUIRE(created);
    server = std::move(*created);
    node::Options options;
    options.id = "0";
    options.cluster.emplace("0", server->address());
    options.storage = "memory";
    options.segment_bytes = 1 << 16;
    options.election_timeout_ms = 50;
    if (own_machine)
      service = std::make_unique<node::HostService>(store);
    else
      service = std::make_unique<node::DictionaryService>(store);
    REQUIRE(server->open(options, std::make_unique<MemoryDisk>(broken), *service));
    REQUIRE(server->start());
    if (own_machine) return;
    loop::Connector connect(
        loop, server->address(), 10'000,
        [this](loop::Stream stream, std::string) { person = std::move(stream); });
    REQUIRE(until([this] { return static_cast<bool>(person); }));
    replies.attach(person);
    person.write("{\"op\":\"set\",\"key\":\"a\",\"value\":1}\n");
    REQUIRE(until([this] { return lines() == 1; }));
    REQUIRE(replies.bytes.find("{\"ok\":true,\"rev\":") == 0);
  }
  std::ptrdiff_t lines() const {
    return std::count(replies.bytes.begin(), replies.bytes.end(), '\n');
  }
};

// Somebody inside the process, who keeps what it is told.
struct Insider final : InProcessClient {
  zatt::server::Server& server;
  node::ClientId id;
  std::vector<std::string> said;  // lines, and answers' texts
  std::vector<test::Answer> answers;
  int rooms = 0;

  explicit Insider(zatt::server::Server& where) : server(where), id(where.open_local(*this)) {}
  void on_response(const codec::Request& request, const codec::Response& response) override {
    if (test::is_of_a_host(request)) {
      answers.push_back(test::to_answer(response));
      said.push_back(answers.back().text);
    } else {
      codec::write_json(request, response, said.emplace_back());
      said.back().pop_back();
    }
  }
  void on_room() override { ++rooms; }

  void ask(const std::string& line) {
    const std::string padded = line + std::string(codec::line_slack, '\0');
    server.ask(id, line.size() > max_line_bytes
                       ? codec::Request{codec::Malformed{codec::too_large(max_line_bytes)}}
                       : parser.parse(std::string_view(padded).substr(0, line.size())));
  }

 private:
  codec::JsonRequestParser parser;
};

std::string set_of_b() {
  kv::Command command;
  command.key = "b";
  command.value = "2";
  std::string bytes;
  kv::encode(command, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Server: a port that is taken is named, with what to do") {
  loop::Loop loop;
  auto listener = loop::Listener::bind(loop, {"127.0.0.1", 0});
  REQUIRE(listener);
  REQUIRE(listener->listen({.on_connection = [](loop::Stream) {}, .on_shortage = [](int) {}}));
  const Address taken = listener->local();
  const auto created = zatt::server::Server::create(loop, taken, {}, {.log = {}, .on_stopped = {}});
  REQUIRE(!created);
  CHECK(to_string(created.error()) ==
        to_string(taken) + " is in use; is this node running already? see ss -ltnp");
}

TEST_CASE("Server: a pipeline is answered in order, and a half-close to its end") {
  Fixture world;
  std::string asks;
  for (int i = 0; i < 500; ++i)
    asks += "{\"op\":\"incr\",\"key\":\"n\",\"id\":" + std::to_string(i) + "}\n";
  world.person.write(std::move(asks));
  world.person.shut_down();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(world.lines() == 501);
  std::size_t at = 0;
  for (int i = 0; i < 500; ++i) {
    at = world.replies.bytes.find("{\"ok\":true,\"id\":" + std::to_string(i) + ",", at);
    REQUIRE(at != std::string::npos);
  }
}

TEST_CASE("Server: stop() finishes what is in flight") {
  Fixture world;
  world.person.write("{\"op\":\"set\",\"key\":\"b\",\"value\":2}\n");
  world.loop.run_once();  // it may have arrived, or not yet
  world.server->stop();
  REQUIRE(world.until([&] { return world.stopped.has_value(); }));
  CHECK(*world.stopped == node::StopReason::asked);
  world.server.reset();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(*world.replies.end == 0);
  CHECK(world.lines() <= 2);  // answered, or never read
}

TEST_CASE("Server: a disk that fails ends the node with 5, and acknowledges nothing") {
  Fixture world;
  world.pause(500);  // the log falls quiet: no batch is under way
  world.broken = true;
  world.person.write("{\"op\":\"set\",\"key\":\"b\",\"value\":2}\n");
  REQUIRE(world.until([&] { return world.stopped.has_value(); }));
  CHECK(*world.stopped == node::StopReason::disk_failed);
  world.server.reset();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(world.replies.bytes.find("\"ok\":true", 10) == std::string::npos);
}

TEST_CASE("Server: a client without a socket is served like all others, in order") {
  Fixture world;
  Insider insider(*world.server);
  insider.ask("{\"op\":\"set\",\"key\":\"b\",\"value\":2,\"id\":1}");
  insider.ask("{\"op\":\"get\",\"key\":\"a\",\"id\":2}");
  insider.ask("{\"op\":\"nonsense\",\"id\":3}");
  insider.ask(std::string(4097, ' '));
  insider.ask("{\"op\":\"get\",\"key\":\"b\",\"id\":5}");
  REQUIRE(world.until([&] { return insider.said.size() == 5; }));
  CHECK(insider.said[0].find("{\"ok\":true,\"id\":1,\"rev\":") == 0);
  CHECK(insider.said[1].find("{\"ok\":true,\"id\":2,\"found\":true,\"value\":1,") == 0);
  CHECK(insider.said[2].find("\"error\":\"bad_request\"") != std::string::npos);
  CHECK(insider.said[3].find("\"error\":\"too_large\"") != std::string::npos);
  CHECK(insider.said[4].find("\"value\":2,") != std::string::npos);
  // The one with a socket sees the same, and neither got the other's.
  world.person.write("{\"op\":\"get\",\"key\":\"b\"}\n");
  REQUIRE(world.until([&] { return world.lines() == 2; }));
  CHECK(world.replies.bytes.find("\"value\":2,") != std::string::npos);
}

TEST_CASE("Server: a client without a socket holds back what is not wanted yet") {
  Fixture world;
  Insider insider(*world.server);
  int asked = 0;
  for (; world.server->wants_more(insider.id) && asked < 100'000; ++asked)
    insider.ask("{\"op\":\"get\",\"key\":\"a\"}");
  CHECK(asked < 100'000);
  CHECK(insider.rooms == 0);
  REQUIRE(world.until([&] { return insider.rooms > 0; }));
  CHECK(world.server->wants_more(insider.id));
  REQUIRE(world.until([&] { return insider.said.size() == static_cast<std::size_t>(asked); }));
}

TEST_CASE("Server: proposals and barriers of a machine of the host's") {
  Fixture world(true);
  Insider insider(*world.server);
  world.server->ask(insider.id, test::proposal(set_of_b(), 5000));
  world.server->ask(insider.id, test::barrier(5000));
  REQUIRE(world.until([&] { return insider.answers.size() == 2; }));
  CHECK(!insider.answers[0].refusal);
  CHECK(!insider.answers[1].refusal);
  CHECK(insider.answers[0].index > Index{0});
  CHECK(world.store.get("b")->value == "2");
  insider.ask("{\"op\":\"get\",\"key\":\"b\"}");
  REQUIRE(world.until([&] { return insider.said.size() == 3; }));
  CHECK(insider.said[2].find("replicates a state machine of its own") != std::string::npos);
}

TEST_CASE("Server: what is asked while it stops is refused, and one that is gone hears nothing") {
  Fixture world;
  Insider insider(*world.server);
  Insider gone(*world.server);
  gone.ask("{\"op\":\"set\",\"key\":\"b\",\"value\":2}");
  world.server->close_local(gone.id);
  world.server->stop();
  insider.ask("{\"op\":\"get\",\"key\":\"b\"}");
  REQUIRE(world.until([&] { return world.stopped.has_value(); }));
  REQUIRE(insider.said.size() == 1);
  CHECK(insider.said[0].find("\"error\":\"shutting_down\"") != std::string::npos);
  CHECK(gone.said.empty());
}

TEST_CASE("Server: state is told when it has changed, at most once a turn") {
  Fixture world;
  REQUIRE(world.until([&] { return world.states.back().last_applied == Index{3}; }));
  const node::NodeState now = world.states.back();
  CHECK(now.role == node::Role::leader);
  CHECK(now.leader == "0");
  CHECK(now.term == Term{1});
  for (std::size_t i = 1; i < world.states.size(); ++i)
    CHECK(world.states[i - 1] != world.states[i]);
  const std::size_t told = world.states.size();
  world.pause(300);
  CHECK(world.states.size() == told);
}
