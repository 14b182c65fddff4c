// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/server.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kv/store.h"
#include "tests/server/world.h"

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

// A node of its own, served, and a person connected to it.
struct Fixture : World {
  bool broken = false;
  std::optional<int> exit_code;
  kv::Store store;
  std::unique_ptr<zatt::server::Server> server;
  loop::Stream person;
  loop::Sink replies;

  Fixture() {
    auto created = zatt::server::Server::create(
        loop, {"127.0.0.1", 0}, {},
        {.log = logger(), .on_stopped = [this](int code) { exit_code = code; }});
    REQUIRE(created);
    server = std::move(*created);
    node::Options options;
    options.id = "0";
    options.cluster.emplace("0", server->address());
    options.storage = "memory";
    options.segment_bytes = 1 << 16;
    options.election_timeout_ms = 50;
    REQUIRE(server->open(options, std::make_unique<MemoryDisk>(broken), store, &store));
    REQUIRE(server->start());
    loop::Connect connect(loop, server->address(), 1000,
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
  REQUIRE(world.until([&] { return world.exit_code.has_value(); }));
  CHECK(*world.exit_code == 0);
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
  REQUIRE(world.until([&] { return world.exit_code.has_value(); }));
  CHECK(*world.exit_code == 5);
  world.server.reset();
  REQUIRE(world.until([&] { return world.replies.end.has_value(); }));
  CHECK(world.replies.bytes.find("\"ok\":true", 10) == std::string::npos);
}
