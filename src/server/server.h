// SPDX-License-Identifier: AGPL-3.0-or-later
// The real world for a node: a port, peers, clients, a clock, and a disk with a thread of its own.
//
// Everything here happens on the loop's thread, but for the disk's batches. A turn of the loop goes
// like this: what has arrived is handed to the node; then a deadline that has passed; then, before
// the loop waits again, the node's flush(), and all that was said leaves. So one turn's requests
// are one batch, and no election timeout fires while a heartbeat lies unread in a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/result.h"
#include "codec/json_request.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/loop_hooks.h"
#include "loop/timer.h"
#include "node/env.h"
#include "node/node.h"
#include "server/acceptor.h"
#include "server/clients.h"
#include "server/disk_threads.h"
#include "server/in_process_client.h"
#include "server/lingering_close.h"
#include "server/log_function.h"
#include "server/node_input.h"
#include "server/peer_links.h"
#include "server/wake_timer.h"
#include "storage/disk.h"

namespace zatt::server {

class Server final : private node::Env, private AcceptorOwner {
 public:
  struct Events {
    LogFunction log;
    // Nothing happens any more; the Server may be destroyed once the loop has been left.
    std::function<void(node::StopReason reason)> on_stopped;
    // Something in it has changed: at the end of a turn, at most once in each.
    std::function<void(const node::NodeState& state)> on_state = {};
  };

  // Takes the port; nobody can connect yet. The error is a sentence for a person.
  static Result<std::unique_ptr<Server>> create(loop::Loop& loop, const Address& listen,
                                                const ClientLimits& limits, Events events);
  ~Server() override;

  // Reads what the disk holds (this takes a while) and makes the node. `service` as Node::open says.
  Status open(const node::Options& options, std::unique_ptr<storage::Disk> disk,
              node::Service& service);
  // Serves, from the loop.
  Status start();
  // Finishes what is in flight, for at most some seconds, then calls on_stopped, as asked. Again:
  // at once.
  void stop();
  // After on_stopped: waits until the disk has answered, so long at most; the Server's end waits
  // without a limit. False: it hangs.
  bool wait_for_disk(std::uint64_t ms) { return disk_.wait_idle(ms); }

  // Clients of this process, once start() went well. `client` is borrowed until close_local() or
  // the Server's end; what it asks after the node has given up is answered by nobody.
  node::ClientId open_local(InProcessClient& client);
  void close_local(node::ClientId id);
  bool wants_more(node::ClientId id) const { return clients_.wants_requests(id); }
  void ask(node::ClientId id, codec::Request request);

  Address address() const { return acceptor_.address(); }
  const node::Node& node() const { return *node_; }

 private:
  static constexpr std::uint64_t stop_limit_ms = 5000;
  // How far the end has come.
  enum class Ending : std::uint8_t { no, in_flight, at_once, done };

  Server(loop::Loop& loop, loop::Listener listener, const ClientLimits& limits, Events events);

  void on_peer(Transport transport, std::string_view first) override;
  void on_client(Transport transport, std::string_view first, bool ended) override;
  bool has_room() const override;

  std::uint64_t now_us() override;
  std::uint64_t wall_us() override;
  std::uint64_t random() override;
  bool turn_is_over() override { return turn_.is_over(); }
  void submit(storage::Batch batch) override;
  std::uint64_t finished_syncs() override { return disk_.finished_syncs(); }
  void read(storage::Batch batch) override;
  void dial(std::vector<node::PeerAddress> peers) override;
  void send(node::LinkId link, node::Priority priority, std::string frame) override;
  std::uint64_t unsent_bytes(node::LinkId link) override;
  void close_link(node::LinkId link) override;
  node::Unread unread(node::ClientId client) override { return clients_.unread(client); }
  void make_room() override { clients_.make_room(); }
  void respond(node::ClientId client, const codec::Request& request,
               const codec::Response& response) override;
  void close_client(node::ClientId client) override;
  void want_requests(node::ClientId client, bool wanted) override;
  void log(node::LogLevel level, std::string_view line) override;
  void stop(node::StopReason reason) override;

  // The two hooks of each turn: input has been read; nothing is left to do but wait.
  void after_poll();
  void before_wait();
  // Calls on_state where the state is not as last told.
  void tell_state();
  // Whether nothing is left to be finished, or there is no time for it.
  bool is_done() const;
  // Calls on_stopped. Nothing happens after it.
  void finish();

  const Events events_;
  const std::size_t max_line_bytes_;
  std::size_t members_ = 1;
  Prng prng_;
  DiskThreads disk_;
  std::unique_ptr<node::Node> node_;
  NodeInput input_;                  // the way to it, for what comes from outside
  codec::JsonRequestParser parser_;  // of all who speak JSON lines
  LingeringClose lingering_close_;
  Clients clients_;
  PeerLinks links_;
  Acceptor acceptor_;
  loop::LoopHooks turn_;
  WakeTimer wake_timer_;
  loop::Timer stop_timer_;
  bool started_ = false;
  Ending ending_ = Ending::no;
  std::optional<node::StopReason> stop_reason_;  // the node has given up
  std::optional<node::NodeState> state_;         // as last told
};

}  // namespace zatt::server
