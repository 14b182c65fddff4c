// SPDX-License-Identifier: AGPL-3.0-or-later
// All clients, as the node knows them: by number, from open to closed.
//
// The node answers from within its own calls, and connections end at any moment. So responses gather
// and leave once a turn, in one write a client; and a client is only marked when it is over or may
// go on, and looked at between the events of a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "loop/loop.h"
#include "loop/timer.h"
#include "node/buffer_shares.h"
#include "node/env.h"
#include "server/client.h"
#include "server/connection.h"
#include "server/in_process_client.h"
#include "server/line_gate.h"
#include "server/lingering_close.h"
#include "server/progress_watch.h"

namespace zatt::server {

class Clients final : private ClientOwner {
 public:
  Clients(loop::Loop& loop, LingeringClose& lingering_close, const ClientLimits& limits,
          LogFunction log);

  // A connection that speaks what `make` makes. `first`: what it has sent already, in plain
  // text with loop::Loop::read_slack_bytes after it.
  void add(Transport transport, const MakeProtocol& make, std::string_view first, bool ended);

  // `who` is borrowed until close().
  node::ClientId add_in_process(InProcessClient& who);
  bool wants_requests(node::ClientId id) const;

  // As node::Env says. Nothing happens where the client is gone.
  node::Unread unread(node::ClientId id) const;
  void make_room();
  void respond(node::ClientId id, const codec::Request& request, const codec::Response& response);
  void close(node::ClientId id);
  void want_requests(node::ClientId id, bool wanted);

  void process_ready();  // goes on with those who may, removes those who are closed
  void write_out();      // the responses of this turn
  bool has_work() const { return !ready_.empty(); }

  std::size_t connections() const { return connections_; }
  std::size_t waiting_bytes() const { return unread_bytes_; }  // responses not with the kernel
  std::size_t input_bytes() const { return input_bytes_; }     // begun, or kept back
  // So many bytes of requests wait in the node: what is left of their share is for long lines.
  void set_request_bytes(std::uint64_t bytes);

 private:
  void on_ready(node::ClientId id) override { ready_.push_back(id); }
  void on_output(node::ClientId id) override { dirty_.push_back(id); }
  void on_slow(node::ClientId id) override;
  void on_input_kept(std::size_t before, std::size_t now) override;
  void on_output_unread(std::size_t before, std::size_t now) override {
    unread_bytes_ += now - before;
  }
  LineGate& line_gate() override { return line_gate_; }

  // Null where it is gone.
  Client* find(node::ClientId id) const;
  // Takes a client that is closed out of the table.
  void remove(node::ClientId id);
  // Looks whether those who were slow have read, again and again while there are any.
  void check_slow();

  // Looks for those who read nothing while others want their room, again and again as long as they
  // do.
  void look_for_room();
  // Of those who have read nothing for a while, ends the largest, until half of what is unread is
  // gone.
  void end_largest(std::vector<node::ClientId> idle);

  loop::Loop& loop_;
  LingeringClose& lingering_close_;
  const ClientLimits limits_;
  const LogFunction log_;
  node::ClientId last_id_{};
  std::unordered_map<node::ClientId, std::unique_ptr<Client>> clients_;
  std::size_t connections_ = 0;  // of clients_
  std::size_t input_bytes_ = 0, unread_bytes_ = 0;
  LineGate line_gate_;
  std::vector<node::ClientId> dirty_;
  std::vector<node::ClientId> ready_;
  std::set<node::ClientId> slow_;
  loop::Timer slow_timer_;
  std::unordered_map<node::ClientId, ProgressWatch> watches_;  // while room is wanted
  bool room_is_wanted_ = false;                                // since the last look
  loop::Timer room_timer_;
};

}  // namespace zatt::server
