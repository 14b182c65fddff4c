// SPDX-License-Identifier: AGPL-3.0-or-later
// The port: who comes in is asked who it is, and sent on to the right room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "loop/listener.h"
#include "loop/stream.h"
#include "node/env.h"
#include "server/lingering_close.h"
#include "server/protocol_detector.h"

namespace zatt::server {

class Acceptor {
 public:
  struct Events {
    // What it has said so far, with loop::Loop::read_slack_bytes behind it. A peer's without its
    // magic.
    std::function<void(loop::Stream stream, std::string_view first)> on_peer;
    std::function<void(loop::Stream stream, std::string_view first, bool ended)> on_client;
    std::function<bool()> has_room;  // for one more client
    std::function<void(node::LogLevel level, std::string_view line)> log;
  };

  Acceptor(LingeringClose& lingering_close, loop::Listener listener, Events events);

  Status open();
  void close();  // those who have not said who they are are closed too
  const Address& address() const { return address_; }
  std::size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {  // one who has not yet said who it is
    loop::Stream stream;
    char first[max_detect_bytes] = {};
    std::uint8_t size = 0;
  };
  void on_connection(loop::Stream stream);
  void on_bytes(std::uint64_t number, std::string_view bytes);
  void on_end(std::uint64_t number, int sys);
  void send_on(Protocol caller, loop::Stream stream, std::string_view first, bool ended);
  void on_shortage();

  LingeringClose& lingering_close_;
  std::optional<loop::Listener> listener_;
  const Address address_;
  Events events_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Waiting> waiting_;  // the oldest first
  std::optional<std::uint64_t> last_shortage_us_;
};

}  // namespace zatt::server
