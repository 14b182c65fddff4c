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
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/result.h"
#include "base/types.h"
#include "client/reply.h"
#include "client/request.h"
#include "client/servers.h"
#include "codec/json_lines.h"

namespace zatt::client {

using Token = std::uint64_t;  // one request; never used twice

struct Options {
  std::vector<Address> servers;          // at least one
  std::uint64_t connect_timeout_us = 0;  // no server answers for so long: no_server; 0: no limit
  std::uint64_t seed = 0;                // of back-off
  bool pin_server = false;  // with these servers: nobody else is asked, no leader found
};

class Client {
 public:
  explicit Client(Options options);

  // The answer comes from next_done(), within the timeout. Code::invalid with a sentence where the
  // request breaks a rule; Code::too_big where too much waits already.
  Result<Token> ask(const Request& request, std::uint64_t timeout_us, std::uint64_t now_us);

  struct Done {
    Token token = 0;
    Reply reply;
    std::uint64_t connection = 0;  // the number of the last it was sent on; 0: it never was
  };
  std::optional<Done> next_done();
  std::size_t pending() const { return queue_.size() + asked_; }

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
  std::string_view outgoing() const { return std::string_view(out_).substr(out_begin_); }
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
  struct PendingRequest {
    Token token = 0;  // 0: our own question for the status
    Op op = Op::status;
    std::string text;  // of the line, but for its end
    std::uint64_t deadline_us = UINT64_MAX;
    bool only_reads = true;
    bool needs_leader = false;
    std::uint32_t attempts = 0;
    std::uint64_t not_before_us = 0;  // in the queue
    std::uint64_t sent_on = 0;        // the connection's number
    std::uint64_t sent_at_byte = 0;   // of the connection: where its line begins
    std::optional<Reply> refusal;     // why it is asked again
  };

  // --- connections ---
  void connect_to(const Address& server, std::uint64_t now_us);
  void lose(std::string_view why, std::uint64_t now_us);
  void take_back_sent(std::string_view why);
  void switch_server(std::uint64_t now_us);
  void settle(std::uint64_t now_us);
  std::uint64_t attempt_time_us(std::uint64_t now_us) const;
  std::string server_name() const { return to_string(connection_->server); }

  // --- questions ---
  bool is_sendable(const PendingRequest& asked, std::uint64_t now_us) const;
  void fill(std::uint64_t now_us);
  void send(PendingRequest asked, std::uint64_t now_us);
  void ask_status(std::uint64_t now_us);
  void put_back(PendingRequest asked);
  bool was_sent(const PendingRequest& asked) const { return asked.sent_at_byte < sent_bytes_; }

  // --- answers ---
  void take(Reply reply, std::uint64_t now_us);
  void on_status(const Reply& status, std::uint64_t now_us);
  void on_leader(const Reply& status, std::uint64_t now_us);
  void on_no_leader(const std::string& notice, std::uint64_t now_us);
  bool try_again(PendingRequest& asked, const Reply& reply, std::uint64_t now_us);
  void finish(const PendingRequest& asked, Reply reply);
  void finish(const PendingRequest& asked, Outcome outcome, std::string message);
  void finish_unsent(const PendingRequest& asked);
  std::string why_no_leader(const std::string& failures) const;

  // --- time ---
  void expire(std::uint64_t now_us);
  void give_up_connecting();
  std::uint64_t jittered(std::uint64_t us) { return us / 2 + prng_.below(us); }

  const Options options_;
  Servers servers_;
  Prng prng_;
  RequestWriter writer_;
  ReplyReader reader_;

  // --- the connection ---
  State state_ = State::idle;
  std::optional<Connection> connection_;
  std::uint64_t last_number_ = 0;
  codec::LineSplitter splitter_;
  std::string out_;
  std::size_t out_begin_ = 0;
  std::uint64_t queued_bytes_ = 0;  // put into out_ so far
  std::uint64_t sent_bytes_ = 0;    // taken from it so far
  bool status_asked_ = false;
  std::uint64_t status_at_us_ = 0;               // when it was asked for last
  std::uint64_t attempt_until_us_ = UINT64_MAX;  // connected and greeted by then
  std::uint64_t look_again_us_ = UINT64_MAX;     // no_leader: when to look elsewhere
  std::optional<Address> redirect_to_;           // switching: where to, if not anywhere

  // --- on the way to one ---
  std::uint64_t retry_at_us_ = 0;
  std::uint64_t unreached_since_us_ = UINT64_MAX;
  std::uint32_t failures_ = 0;         // in a row, without an answer between
  std::uint32_t no_leader_count_ = 0;  // servers in a row that knew no leader
  std::uint32_t hops_ = 0;             // in a row, after the leader
  std::string no_leader_text_;         // who knew no leader last, and what it says of that

  // --- requests ---
  Token last_token_ = 0;
  std::deque<PendingRequest> queue_;  // not sent; in order
  std::deque<PendingRequest> sent_;   // to this connection, in order
  std::size_t asked_ = 0;             // of sent_, without our own questions
  std::size_t waiting_bytes_ = 0;     // of both
  std::multiset<std::uint64_t> deadlines_;
  std::deque<Done> done_;
};

}  // namespace zatt::client
