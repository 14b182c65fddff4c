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
#include "base/state_machine.h"
#include "loop/job_thread.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/loop_hooks.h"
#include "loop/timer.h"
#include "node/env.h"
#include "node/node.h"
#include "server/acceptor.h"
#include "server/clients.h"
#include "server/in_process_clients.h"
#include "server/lingering_close.h"
#include "server/peer_links.h"
#include "storage/disk.h"

namespace zatt::server {

class Server final : private node::Env {
 public:
  struct Events {
    std::function<void(node::LogLevel level, std::string_view line)> log;
    // Nothing happens any more; the Server may be destroyed once the loop has been left.
    std::function<void(int exit_code)> on_stopped;
    // Something in it has changed: at the end of a turn, at most once in each.
    std::function<void(const node::NodeState& state)> on_state = {};
  };

  // Takes the port; nobody can connect yet. The error is a sentence for a person.
  static Result<std::unique_ptr<Server>> create(loop::Loop& loop, const Address& listen,
                                                const ClientLimits& limits, Events events);
  ~Server() override;

  // Reads what the disk holds (this takes a while) and makes the node. `machine` and `store` as
  // Node::open says.
  Status open(const node::Options& options, std::unique_ptr<storage::Disk> disk,
              StateMachine& machine, kv::Machine* store);
  // Serves, from the loop.
  Status start();
  // Finishes what is in flight, for at most some seconds, then calls on_stopped(0). Called again:
  // at once.
  void stop();
  // Behind on_stopped: so long at most, until the disk has answered, for which the end of this
  // waits. False: it hangs.
  bool wait_for_disk(std::uint64_t ms) { return disk_thread_.wait_idle(ms); }

  // Clients of this process, once start() went well. `client` is borrowed until close_local() or
  // the Server's end; what it asks after the node has given up is answered by nobody.
  node::ClientId open_local(InProcessClient& client);
  void close_local(node::ClientId id);
  bool wants_more(node::ClientId id) const { return locals_.wants_more(id); }
  // `line` has no newline, and codec::line_slack readable bytes behind it.
  void ask_line(node::ClientId id, std::string_view line);
  void propose(node::ClientId id, std::string command, std::uint32_t timeout_ms);
  void ask_barrier(node::ClientId id, std::uint32_t timeout_ms);

  Address address() const { return acceptor_.address(); }
  const node::Node& node() const { return *node_; }

 private:
  static constexpr std::uint64_t stop_limit_ms = 5000;

  Server(loop::Loop& loop, loop::Listener listener, const ClientLimits& limits, Events events);
  Acceptor::Events door_events();
  Clients::Events client_events();
  PeerLinks::Events link_events();

  std::uint64_t now_us() override;
  std::uint64_t wall_us() override;
  std::uint64_t random() override;
  void submit(storage::Batch batch) override;
  void dial(std::vector<node::PeerAddress> peers) override;
  void send(node::LinkId link, node::Priority priority, std::string frame) override;
  void close_link(node::LinkId link) override;
  std::uint64_t unread_bytes(node::ClientId client) override;
  void reply(node::ClientId client, std::string_view lines) override;
  void answer(node::ClientId client, const node::Answer& answer) override;
  void close_client(node::ClientId client) override;
  void want_lines(node::ClientId client, bool wanted) override;
  void log(node::LogLevel level, std::string_view line) override;
  void stop(int exit_code) override;

  bool is_serving() const { return started_ && !exit_code_; }
  bool has_room() const;
  void tell_state();
  void after_poll();
  void before_wait();
  void set_timer();
  bool is_done() const;
  void finish();

  const Events events_;
  const std::size_t max_line_bytes_;
  std::size_t members_ = 1;
  Prng prng_;
  std::unique_ptr<storage::Disk> disk_;
  storage::BatchResult disk_result_;  // written by the disk's thread, then read here
  loop::JobThread disk_thread_;
  std::unique_ptr<node::Node> node_;
  LingeringClose lingering_close_;
  Clients clients_;
  InProcessClients locals_;
  PeerLinks links_;
  Acceptor acceptor_;
  loop::Timer timer_;
  loop::Timer stop_timer_;
  loop::LoopHooks turn_;
  std::uint64_t timer_set_for_us_ = 0;
  bool timer_fired_ = false;
  bool started_ = false;
  bool stopping_ = false;
  bool out_of_patience_ = false;
  bool finished_ = false;
  std::optional<int> exit_code_;
  std::optional<node::NodeState> state_;  // as last told
};

}  // namespace zatt::server
