// SPDX-License-Identifier: AGPL-3.0-or-later
// What a client speaks: its bytes into requests for the node, the node's responses into bytes.
//
// One object a connection, made with it and destroyed after on_closed(). All calls come from the
// loop's thread. It may call Connection::write() at any time of its own accord (a push), and
// Connection::close(); both take effect at the end of the turn.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "codec/request.h"
#include "codec/response.h"

namespace zatt::server {

class Connection;

class ServerProtocol {
 public:
  ServerProtocol() = default;
  ServerProtocol(const ServerProtocol&) = delete;
  ServerProtocol& operator=(const ServerProtocol&) = delete;
  virtual ~ServerProtocol() = default;

  // Before all others: the node's responses find the connection from here on.
  virtual void on_open() {}
  // Hands on the requests in `bytes` and in what came before, in order, as long as
  // Connection::wants_requests(). loop::Loop::read_slack_bytes after them are readable. False:
  // requests are kept back, and it is called again, with nothing more, once they are wanted.
  virtual bool on_bytes(std::string_view bytes) = 0;
  // How much of what has come is neither handed on nor thrown away: the beginning of a request, or
  // requests kept back.
  virtual std::size_t kept_bytes() const { return 0; }
  // Gives up the request begun, as `overloaded`, with what is still to come of it.
  virtual void refuse_begun() {}
  // The other end sends no more, and nothing is kept back.
  virtual void on_end() = 0;
  // The other end has read: what waited for it has fallen below half of the bound.
  virtual void on_room() {}
  // The connection is over.
  virtual void on_closed() {}

  // Appends to `out` what this response to this request is here.
  virtual void write_response(const codec::Request& request, const codec::Response& response,
                              std::string& out) = 0;
};

// Of a connection that has just been made, and outlives the protocol.
using MakeProtocol = std::function<std::unique_ptr<ServerProtocol>(Connection& connection)>;

}  // namespace zatt::server
