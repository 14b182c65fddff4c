// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt's own protocol: a request is a line of JSON, and so is a reply.
//
// A Sink has the node's own on_client_open, on_request, on_client_end, on_client_room and
// on_client_closed (node/node.h). A template, so that a line goes from the bytes it came in to the
// node without an indirect call.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "codec/json_lines.h"
#include "codec/json_request.h"
#include "codec/json_response.h"
#include "server/connection.h"
#include "server/server_protocol.h"

namespace zatt::server {

template <class Sink>
class JsonLinesProtocol final : public ServerProtocol {
 public:
  // All are borrowed for the protocol's life; one parser serves them all.
  JsonLinesProtocol(const Connection& connection, Sink& sink, codec::JsonRequestParser& parser,
                    std::size_t max_line_bytes)
      : connection_(connection),
        sink_(sink),
        parser_(parser),
        max_line_bytes_(max_line_bytes),
        splitter_(max_line_bytes) {}

  void on_open() override { sink_.on_client_open(connection_.id()); }

  bool on_bytes(std::string_view bytes) override {
    bool wants_more = true;
    splitter_.feed(bytes, [&](std::string_view line, bool too_long) {
      on_line(line, too_long);
      return wants_more = connection_.wants_requests();
    });
    return wants_more;
  }

  std::size_t kept_bytes() const override { return splitter_.kept_bytes(); }
  void refuse_begun() override {
    splitter_.skip_line();
    sink_.on_request(connection_.id(), codec::Request{codec::Malformed{codec::no_room_for_it()}});
  }

  void on_end() override {
    splitter_.end([&](std::string_view line, bool too_long) {
      on_line(line, too_long);
      return true;  // it is the last one
    });
    sink_.on_client_end(connection_.id());
  }

  void on_room() override { sink_.on_client_room(connection_.id()); }
  void on_closed() override { sink_.on_client_closed(connection_.id()); }

  void write_response(const codec::Request& request, const codec::Response& response,
                      std::string& out) override {
    codec::write_json(request, response, out);
  }

 private:
  void on_line(std::string_view line, bool too_long) {
    sink_.on_request(connection_.id(),
                     too_long ? codec::Request{codec::Malformed{codec::too_large(max_line_bytes_)}}
                              : parser_.parse(line));
  }

  const Connection& connection_;
  Sink& sink_;
  codec::JsonRequestParser& parser_;
  const std::size_t max_line_bytes_;
  codec::LineSplitter splitter_;
};

}  // namespace zatt::server
