// SPDX-License-Identifier: AGPL-3.0-or-later
// Host programs with nodes inside, for the tests of zatt_node_*: one node, what it told its host,
// and the list that it replicates.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/capi/footprint.h"
#include "zatt/zatt.h"

namespace zatt::capi::test {

class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& where = "/tmp")
      : path_(where + "/zatt-node-test.XXXXXX") {
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Ports that were free a moment ago, all different. Below the range that the system takes outgoing
// ports from: else a node's own calls could take the port that the next one is to listen on.
inline std::vector<int> free_ports(std::size_t count) {
  std::random_device chance;
  std::vector<int> sockets;
  std::vector<int> ports;
  while (ports.size() < count) {
    const auto port = static_cast<std::uint16_t>(12'000 + chance() % 20'000);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    sockets.push_back(socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(sockets.back() >= 0);
    if (bind(sockets.back(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      ports.push_back(port);
  }
  for (const int fd : sockets) close(fd);
  return ports;
}

inline std::string config_of(const std::vector<int>& ports, const std::string& more = "") {
  std::string members;
  for (std::size_t i = 0; i < ports.size(); ++i)
    members += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":[\"127.0.0.1\"," +
               std::to_string(ports[i]) + "]";
  return "{\"cluster\":{" + members + "},\"segment_bytes\":65536,\"election_timeout_ms\":150" +
         more + "}";
}

// The replicated machine: a list that only grows. Read from any thread.
struct List {
  mutable std::mutex mutex;
  std::vector<std::string> items;
  std::vector<std::uint64_t> times;  // of each
  std::uint64_t last_index = 0;
  std::function<void()> on_apply = [] {};

  static void apply(void* user, std::uint64_t index, std::uint64_t time_us, zatt_bytes command,
                    zatt_sink* reply) {
    List& list = *static_cast<List*>(user);
    std::string count;
    {
      const std::lock_guard lock(list.mutex);
      CHECK(index > list.last_index);
      list.last_index = index;
      CHECK(time_us >= (list.times.empty() ? 1'600'000'000'000'000 : list.times.back()));
      list.times.push_back(time_us);
      list.items.emplace_back(command.data, command.size);
      count = std::to_string(list.items.size());
    }
    zatt_sink_write(reply, "#", 1);
    zatt_sink_write(reply, count.data(), count.size());
    list.on_apply();
  }
  zatt_machine machine() {
    zatt_machine machine = {};
    machine.size = sizeof machine;
    machine.user = this;
    machine.apply = apply;
    return machine;
  }
  std::vector<std::string> get() const {
    const std::lock_guard lock(mutex);
    return items;
  }
  void clear() {
    const std::lock_guard lock(mutex);
    items.clear();
    times.clear();
    last_index = 0;
  }
};

struct Reply {
  int error = 1;
  std::string message;
  std::string value;
  std::string line;
  std::uint64_t rev = 0;
  std::int64_t number = 0;
  bool found = false;

  static Reply of(const zatt_reply& reply) {
    const auto text = [](zatt_bytes bytes) {
      return bytes.data == nullptr ? std::string() : std::string(bytes.data, bytes.size);
    };
    return {reply.error, reply.message, text(reply.value), text(reply.line),
            reply.rev,   reply.number,  reply.found != 0};
  }
};

// Replies that come one by one, from whatever thread.
struct Replies {
  std::mutex mutex;
  std::vector<Reply> all;
  std::function<void()> on_reply = [] {};

  static void take(void* user, const zatt_reply* reply) {
    Replies& replies = *static_cast<Replies*>(user);
    {
      const std::lock_guard lock(replies.mutex);
      replies.all.push_back(Reply::of(*reply));
    }
    replies.on_reply();
  }
  std::size_t size() {
    const std::lock_guard lock(mutex);
    return all.size();
  }
};

inline zatt_request request_of(int op, std::string_view key = {}, std::string_view value = {}) {
  zatt_request request = zatt_request_of(op);
  if (op <= ZATT_OP_INCR) request.key = {key.data() == nullptr ? "" : key.data(), key.size()};
  if (op == ZATT_OP_SET || op >= ZATT_OP_LINE)
    request.value = {value.data() == nullptr ? "" : value.data(), value.size()};
  return request;
}

// A node, and what its host heard of it.
struct Host {
  zatt_node* node = nullptr;
  List list;
  bool with_list = false;
  uv_loop_t* loop = nullptr;
  std::string why;  // open's sentence

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<zatt_state> states;
  std::vector<int> stops;
  std::vector<std::string> log;
  std::function<void()> on_stop_too = [] {};

  ~Host() { CHECK(zatt_node_close(node) == ZATT_OK); }

  int open(const std::string& config, const std::string& id, const std::string& storage) {
    list.clear();  // a node's machine starts empty, and the log is replayed
    states.clear();
    zatt_node_options options = zatt_node_options_of(config.c_str());
    const zatt_machine machine = list.machine();
    options.id = id.c_str();
    options.storage = storage.c_str();
    options.loop = loop;
    options.machine = with_list ? &machine : nullptr;
    options.user = this;
    options.on_log = [](void* user, int, const char* line) {
      Host& host = *static_cast<Host*>(user);
      const std::lock_guard lock(host.mutex);
      host.log.emplace_back(line);
    };
    options.on_state = [](void* user, const zatt_state* state) {
      Host& host = *static_cast<Host*>(user);
      const std::lock_guard lock(host.mutex);
      host.states.push_back(*state);
      host.changed.notify_all();
    };
    options.on_stop = [](void* user, int error) {
      Host& host = *static_cast<Host*>(user);
      host.on_stop_too();
      const std::lock_guard lock(host.mutex);
      host.stops.push_back(error);
      host.changed.notify_all();
    };
    char sentence[256];
    options.error = sentence;
    options.error_size = sizeof sentence;
    const int error = zatt_node_open(&options, &node);
    why = sentence;
    return error;
  }
  void close() {
    REQUIRE(zatt_node_close(node) == ZATT_OK);
    node = nullptr;
  }

  // With a thread of its own.
  Reply call(const zatt_request& request) {
    Reply reply;
    const int error = zatt_node_call(
        node, &request,
        [](void* user, const zatt_reply* given) { *static_cast<Reply*>(user) = Reply::of(*given); },
        &reply);
    if (reply.error == 1) reply.error = error;
    CHECK(reply.error == error);
    return reply;
  }
  bool wait(const std::function<bool()>& so) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), so);
  }
  bool wait_leader() {
    return wait([this] { return !states.empty() && states.back().leader[0] != '\0'; });
  }
  bool wait_leader_but(const std::string& id) {
    return wait([&] {
      return !states.empty() && states.back().leader[0] != '\0' && states.back().leader != id;
    });
  }
  bool wait_stop() {
    return wait([this] { return !stops.empty(); });
  }
  zatt_state state() const {
    zatt_state state = {};
    state.size = sizeof state;
    zatt_node_state(node, &state);
    return state;
  }
};

// The host's loop. False where twenty seconds did not make it so.
inline bool turn_until(uv_loop_t& loop, const std::function<bool()>& so) {
  uv_timer_t limit;
  bool late = false;
  bool closed = false;
  uv_timer_init(&loop, &limit);
  limit.data = &late;
  uv_timer_start(
      &limit, [](uv_timer_t* timer) { *static_cast<bool*>(timer->data) = true; }, 20'000, 0);
  while (!so() && !late) uv_run(&loop, UV_RUN_ONCE);
  limit.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t*>(&limit),
           [](uv_handle_t* handle) { *static_cast<bool*>(handle->data) = true; });
  while (!closed) uv_run(&loop, UV_RUN_NOWAIT);
  return so();
}

}  // namespace zatt::capi::test
