// SPDX-License-Identifier: AGPL-3.0-or-later
// The port: the first bytes of a connection say what it speaks, and it goes to whoever serves that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "loop/listener.h"
#include "loop/stream.h"
#include "server/lingering_close.h"
#include "server/log_function.h"
#include "server/protocol_detector.h"
#include "server/transport.h"

namespace zatt::server {

// Who takes the connections. `first`: what was said so far, in plain text with
// loop::Loop::read_slack_bytes after it; a peer's without its magic.
class AcceptorOwner {
 public:
  AcceptorOwner() = default;
  AcceptorOwner(const AcceptorOwner&) = delete;
  AcceptorOwner& operator=(const AcceptorOwner&) = delete;
  virtual ~AcceptorOwner() = default;

  // Somebody who speaks as a peer, or as a client. `first`: plain text that is read already (of a
  // peer: after the magic), borrowed for the call. `ended`: it sends no more.
  virtual void on_peer(Transport transport, std::string_view first) = 0;
  virtual void on_client(Transport transport, std::string_view first, bool ended) = 0;
  virtual bool has_room() const = 0;  // for one more client
};

class Acceptor {
 public:
  // `lingering_close` and `owner` are borrowed.
  Acceptor(LingeringClose& lingering_close, loop::Listener listener, AcceptorOwner& owner,
           LogFunction log);

  // Connections are taken from now on, out of the loop.
  Status open();
  void close();  // those who have not said what they speak are closed too
  const Address& address() const { return address_; }
  std::size_t size() const { return waiting_.size(); }  // who have not said what they speak

 private:
  struct Waiting {  // one who has not yet said what it speaks
    Transport transport;
    char first[max_detect_bytes] = {};
    std::uint8_t size = 0;
  };
  // A new connection; bytes of one that waits; its end (sys as loop::Stream says).
  void on_connection(loop::Stream stream);
  void on_bytes(std::uint64_t number, std::string_view wire);
  void on_end(std::uint64_t number, int sys);
  // Hands a connection to whoever serves its protocol; rejects it where nobody does.
  void dispatch(Protocol protocol, Transport transport, std::string_view first, bool ended);
  // Somebody had to be turned away: the log says so, not too often.
  void on_shortage();

  LingeringClose& lingering_close_;
  std::optional<loop::Listener> listener_;
  const Address address_;
  AcceptorOwner& owner_;
  const LogFunction log_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Waiting> waiting_;  // the oldest first
  std::uint64_t last_shortage_us_ = never_us;
};

}  // namespace zatt::server
