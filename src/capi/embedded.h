// SPDX-License-Identifier: AGPL-3.0-or-later
// A node inside a host's program, on a loop: all of zatt_node but whose thread turns it.
//
// Any thread may ask and stop; what it wants is queued under the mutex, and the loop is woken. All
// else happens on the loop's thread, the host's callbacks included. Its end has one order: requests
// are answered, ports, files and threads are given back, and on_stop is the last word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "capi/convert.h"
#include "capi/host_request.h"
#include "capi/machine.h"
#include "client/reply.h"
#include "config/settings.h"
#include "kv/machine.h"
#include "loop/async.h"
#include "loop/loop.h"
#include "node/service.h"
#include "server/in_process_client.h"
#include "server/own_store.h"
#include "server/server.h"
#include "zatt/zatt.h"

namespace zatt::capi {

struct Host {
  void* user = nullptr;
  void (*on_log)(void* user, int level, const char* line) = nullptr;
  void (*on_state)(void* user, const zatt_state* state) = nullptr;
  void (*on_stop)(void* user, int error) = nullptr;
  int timeout_ms = 0;  // of requests that name none
};

class Embedded final : private server::InProcessClient {
 public:
  // `loop` must outlive it. `machine` null: the dictionary.
  Embedded(loop::Loop& loop, const Host& host, const zatt_machine* machine);
  ~Embedded() override;

  // Listens, reads the storage, serves. ZATT_OK, or why not, with a sentence.
  int open(const config::Settings& settings, std::string& why);

  // From any thread.
  int ask(const zatt_request* request, zatt_on_reply on_reply, void* user) noexcept;
  void stop() noexcept;
  int state(zatt_state* state) const noexcept;

  // From the loop's thread.
  bool is_calling_back() const { return calling_back_ > 0; }
  void close();  // at once, and without on_stop

 private:
  static constexpr std::size_t max_waiting_bytes = 64 << 20;

  struct Asked {
    HostRequest host;
    zatt_on_reply on_reply = nullptr;
    void* user = nullptr;
    std::size_t cost() const { return sizeof(Asked) + host.size; }
  };

  // From the server, all in its turn.
  void on_response(const codec::Request& request, const codec::Response& response) override;
  void on_room() override { submit_queued(); }
  void on_log(node::LogLevel level, std::string_view line);
  void on_state(const node::NodeState& state);

  Status open_storage(const config::Settings& settings);
  void on_wake();
  void submit_queued();
  void answer(const ReplyBox& reply);
  void end(int unread_error);
  void finish(int error);
  zatt_state described(const node::NodeState& state) const;

  loop::Loop& loop_;
  const Host host_;
  std::optional<HostMachine> machine_;
  kv::Machine store_ = server::own_store();  // where there is no other
  std::unique_ptr<node::Service> service_;   // of one of them
  bool debug_ = false;

  // Under the mutex.
  mutable std::mutex mutex_;
  std::optional<HostRequestReader> requests_;  // from open() on
  std::deque<Asked> queue_;        // not handed to the node yet
  std::size_t waiting_bytes_ = 0;  // of all that is not answered
  int stops_ = 0;
  bool ended_ = false;
  node::NodeState state_;

  // The loop's thread's.
  client::ReplyReader reader_;
  std::deque<Asked> handed_;  // to the node, in order; without their requests
  std::optional<node::StopReason> stop_reason_;
  int calling_back_ = 0;
  node::ClientId id_{};
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<loop::Async> wake_;  // there until ended_
};

}  // namespace zatt::capi
