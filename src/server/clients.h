// SPDX-License-Identifier: AGPL-3.0-or-later
// All client connections, as the node knows them: by number, from open to closed.
//
// The node answers from within its own calls, and connections end at any moment. So replies gather
// and leave once a turn, in one write a client; and a client is only marked when it is over or may
// go on, and looked at between the events of a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/timer.h"
#include "node/env.h"
#include "server/client.h"
#include "server/lingering_close.h"

namespace zatt::server {

class Clients final : private ClientOwner {
 public:
  struct Events {
    std::function<void(node::ClientId id)> on_open;
    std::function<void(node::ClientId id, std::string_view line, bool too_long)> on_line;
    std::function<void(node::ClientId id)> on_end;
    std::function<void(node::ClientId id)> on_closed;
    std::function<void(node::ClientId id)> on_room = {};  // it has read: unread_bytes has fallen
    std::function<void(node::LogLevel level, std::string_view line)> log;
  };

  Clients(loop::Loop& loop, LingeringClose& lingering_close, const ClientLimits& limits,
          Events events);

  // `first`: what it has sent already, with loop::Loop::read_slack_bytes behind it.
  void add(loop::Stream stream, std::string_view first, bool ended);

  // For a client that has no connection: one number is never two clients.
  node::ClientId take_id() { return ++last_id_; }

  // As node::Env says.
  std::size_t unread_bytes(node::ClientId id);
  void reply(node::ClientId id, std::string_view lines);
  void close(node::ClientId id);
  void want_lines(node::ClientId id, bool wanted);

  void process_ready();  // goes on with those who may, lets go of those who are over
  void write_out();      // the replies of this turn
  bool has_work() const { return !ready_.empty(); }

  std::size_t size() const { return clients_.size(); }
  std::size_t waiting_bytes() const;  // replies not yet with the kernel

 private:
  void on_line(node::ClientId id, std::string_view line, bool too_long) override;
  void on_end(node::ClientId id) override;
  void on_ready(node::ClientId id) override;
  void on_slow(node::ClientId id) override;

  Client* find(node::ClientId id);
  void remove(node::ClientId id);
  void check_slow();

  LingeringClose& lingering_close_;
  const ClientLimits limits_;
  Events events_;
  node::ClientId last_id_ = 0;
  std::unordered_map<node::ClientId, std::unique_ptr<Client>> clients_;
  std::vector<node::ClientId> dirty_;
  std::vector<node::ClientId> ready_;
  std::set<node::ClientId> slow_;
  loop::Timer slow_timer_;
};

}  // namespace zatt::server
