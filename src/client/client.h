// SPDX-License-Identifier: AGPL-3.0-or-later
// The other end of the protocol, without a socket: bytes and time in; bytes, deadlines, results
// out.
//
// One connection at a time. A new one is greeted with `status`: that tells who leads, and the
// client goes on to the leader where it can, so that writes take one hop less. Whatever needs a
// leader is held back until a server knows one: what was never sent has failed for certain.
//
// What is asked again: reads, and writes that certainly did not happen, as long as nothing asked
// later has been sent (they would change places). A write whose connection ends before its answer
// is never repeated, and its outcome is unknown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "client/backoff.h"
#include "client/leader_search.h"
#include "client/pending_requests.h"
#include "client/reconnection.h"
#include "client/reply.h"
#include "client/request.h"
#include "client/servers.h"
#include "codec/json_lines.h"

namespace zatt::client {

struct Options {
  std::vector<Address> servers;          // at least one
  std::uint64_t connect_timeout_us = 0;  // no server answers for so long: no_server; 0: no limit
  std::uint64_t seed = 0;                // of back-off
  bool pin_server = false;  // with these servers: nobody else is asked, no leader found
};

class Client {
 public:
  explicit Client(Options options);
  Client(const Client&) = delete;

  // The answer comes from next_done(), within the timeout. Code::invalid with a sentence where the
  // request breaks a rule; Code::too_big where too much waits already.
  Result<Token> ask(const Request& request, std::uint64_t timeout_us, std::uint64_t now_us);

  std::optional<Done> next_done() { return requests_.next_done(); }
  std::size_t pending() const { return requests_.size(); }

  // The connection that there should be. Another number: end the one before, unread. None: no
  // connection is wanted now.
  struct Connection {
    std::uint64_t number = 0;
    Address server;
  };
  const std::optional<Connection>& connection() const { return connection_; }
  bool is_open() const { return state_ >= State::handshaking; }

  void on_connected(std::uint64_t number, std::uint64_t now_us);
  // It ended, or could not be made; `why` is for a person.
  void on_closed(std::uint64_t number, std::string_view why, std::uint64_t now_us);
  // `bytes` have json::slack readable bytes behind them.
  void on_bytes(std::uint64_t number, std::string_view bytes, std::uint64_t now_us);

  // What to write to the connection once it is made; on_sent says how much was.
  std::string_view outgoing() const { return requests_.out().waiting(); }
  void on_sent(std::size_t bytes, std::uint64_t now_us);

  // To be called at or after wake_at_us().
  void on_time(std::uint64_t now_us);
  std::uint64_t wake_at_us() const;

  // Ends all: what waits is done, as canceled or unknown.
  void close();

 private:
  enum class State : std::uint8_t {
    idle,         // no connection
    connecting,   // wanted, not made yet
    handshaking,  // made; what it is has not been said yet
    no_leader,    // it knows no leader
    ready,
    switching,  // on to another server once all is answered
  };

  // --- the connection ---
  // A new one, in place of the one there was, on which nothing waits for an answer.
  void connect_to(const Address& server, std::uint64_t now_us);
  // How long a connection may take until its server has answered: each gets its turn before the
  // first request's time is up.
  std::uint64_t attempt_time_us(std::uint64_t now_us) const;
  // The connection that there is has ended, or is given up; `why` is for a person.
  void lose(std::string_view why, std::uint64_t now_us);
  // Once all that was asked here is answered, on to the leader, or to whoever is next.
  void switch_server(std::uint64_t now_us);
  // What follows from any event: a connection where one is needed, and requests onto it.
  void settle(std::uint64_t now_us);
  std::string server_name() const { return to_string(connection_->server); }
  std::uint32_t server_count() const { return static_cast<std::uint32_t>(servers_.size()); }

  // --- requests onto it ---
  bool is_sendable(const PendingRequest& request, std::uint64_t now_us) const;
  // Sends what may be sent and has room.
  void fill(std::uint64_t now_us);
  // Who leads? Nothing where that is being asked already.
  void ask_status(std::uint64_t now_us);

  // --- answers from it ---
  // May end the connection, or leave it for another, as everything below may.
  void on_reply(Reply reply, std::uint64_t now_us);
  void on_status(const Reply& status, std::uint64_t now_us);
  void on_leader(const Reply& status, std::uint64_t now_us);
  // Where the leader of that status is, if it is another server, and can be reached.
  std::optional<Address> leader_elsewhere(const Reply& status, std::uint64_t now_us) const;
  // Puts the request back where it may be asked again: only what certainly did not happen, only
  // while nothing was sent after it that it could overtake, and only if there is time. False where
  // not: then `reply` is the answer.
  bool try_again(PendingRequest& request, const Reply& reply, std::uint64_t now_us);

  // --- time ---
  // Ends the requests whose time is up, and the connection whose server owes an answer to one.
  void expire(std::uint64_t now_us);
  // In the state that it is in: what became of a request that could not be sent in time.
  Reply reply_of_unsent() const;

  const Options options_;
  Servers servers_;
  Backoff backoff_;
  Reconnection reconnection_;
  LeaderSearch leader_search_;
  PendingRequests requests_;
  RequestWriter writer_;
  ReplyReader reader_;

  State state_ = State::idle;
  std::optional<Connection> connection_;
  std::uint64_t last_number_ = 0;
  codec::LineSplitter splitter_;
  std::uint64_t attempt_until_us_ = never_us;  // its server has answered by then
  bool status_asked_ = false;
  std::uint64_t status_at_us_ = 0;  // when it was asked for last
};

}  // namespace zatt::client
