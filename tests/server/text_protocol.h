// SPDX-License-Identifier: AGPL-3.0-or-later
// A protocol for tests of what is beneath protocols: any line is a request, and a response is any
// text.
#pragma once

#include <string>
#include <string_view>

#include "codec/json_lines.h"
#include "server/clients.h"
#include "server/connection.h"
#include "server/server_protocol.h"

namespace zatt::server {

// A Sink has on_client_open, on_line (with whether it was too long), on_client_end, on_client_room
// and on_client_closed.
template <class Sink>
class TextProtocol final : public ServerProtocol {
 public:
  TextProtocol(const Connection& connection, Sink& sink, std::size_t max_line_bytes)
      : connection_(connection), sink_(sink), splitter_(max_line_bytes) {}

  void on_open() override { sink_.on_client_open(connection_.id()); }
  bool on_bytes(std::string_view bytes) override {
    bool wants_more = true;
    splitter_.feed(bytes, [&](std::string_view line, bool too_long) {
      sink_.on_line(connection_.id(), line, too_long);
      return wants_more = connection_.wants_requests();
    });
    return wants_more;
  }
  std::size_t kept_bytes() const override { return splitter_.kept_bytes(); }
  void refuse_begun() override {
    splitter_.skip_line();
    sink_.on_line(connection_.id(), "(refused)", false);
  }
  void on_end() override {
    splitter_.end([&](std::string_view line, bool too_long) {
      sink_.on_line(connection_.id(), line, too_long);
      return true;
    });
    sink_.on_client_end(connection_.id());
  }
  void on_room() override { sink_.on_client_room(connection_.id()); }
  void on_closed() override { sink_.on_client_closed(connection_.id()); }
  void write_response(const codec::Request&, const codec::Response& response,
                      std::string& out) override {
    out += std::get<codec::Applied>(response).reply;
  }

 private:
  const Connection& connection_;
  Sink& sink_;
  codec::LineSplitter splitter_;
};

inline void say(Clients& clients, node::ClientId id, std::string_view text) {
  clients.respond(id, {}, codec::Applied{std::string(text), Index{}});
}

}  // namespace zatt::server
