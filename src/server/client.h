// SPDX-License-Identifier: AGPL-3.0-or-later
// Whoever asks this node: over a connection, or from inside this process.
#pragma once

#include <cstddef>

#include "node/env.h"
#include "server/line_gate.h"
#include "server/lingering_close.h"
#include "server/log_function.h"

namespace zatt::server {

// Whom a client tells: the table it is in, which never destroys it from here.
class ClientOwner {
 public:
  ClientOwner() = default;
  ClientOwner(const ClientOwner&) = delete;
  ClientOwner& operator=(const ClientOwner&) = delete;
  virtual ~ClientOwner() = default;

  virtual void on_ready(node::ClientId id) = 0;   // it is closed, or may go on: resume()
  virtual void on_output(node::ClientId id) = 0;  // it has something for write_out()
  virtual void on_slow(node::ClientId id) = 0;    // it is to be looked at: check_progress()
  virtual void on_input_kept(std::size_t before, std::size_t now) = 0;     // bytes of one client
  virtual void on_output_unread(std::size_t before, std::size_t now) = 0;  // likewise
  virtual LineGate& line_gate() = 0;
};

class Client {
 public:
  Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  virtual ~Client() = default;

  // As node::Env says of one client.
  virtual void respond(const codec::Request& request, const codec::Response& response) = 0;
  virtual void want_requests(bool wanted) = 0;
  virtual void close() = 0;
  virtual std::size_t unread_bytes() const = 0;

  virtual bool wants_requests() const = 0;
  virtual bool is_connection() const = 0;  // and so has a descriptor

  // Between the events of a turn.
  virtual void resume() = 0;                       // goes on with what was kept back
  virtual void write_out() = 0;                    // what has gathered leaves
  virtual bool check_progress() { return false; }  // whether it has to be looked at again
  virtual void refuse_line() {}                    // the one begun: see LineGate
  // How much it has read since it began, and its end where that is not enough.
  virtual std::uint64_t taken_bytes() const { return 0; }
  virtual void end_for_room() {}
  virtual bool is_closed() const = 0;
  // It is out of the table: says so to whom it concerns.
  virtual void on_removed(LingeringClose& lingering_close, const LogFunction& log) = 0;
};

}  // namespace zatt::server
