// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's connection: requests in while they are wanted, replies out as fast as they are read.
//
// Who does not read is first not read from, and in the end closed: its replies must not fill the
// node's memory. An idle connection owns no buffer, so that thousands of them cost little.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/narrow.h"
#include "node/options.h"
#include "server/client.h"
#include "server/progress_watch.h"
#include "server/server_protocol.h"
#include "server/transport.h"

namespace zatt::server {

struct ClientLimits {
  static ClientLimits of(const node::Options& options) {
    ClientLimits limits;
    limits.max_line_bytes = narrow<std::size_t>(options.max_request_bytes);
    limits.max_buffer_bytes = narrow<std::size_t>(options.max_buffer_bytes);
    return limits;
  }
  std::size_t max_line_bytes = 1 << 20;
  std::size_t pause_bytes = 1 << 20;         // so many bytes of replies unread: its requests wait
  std::size_t max_waiting_bytes = 64 << 20;  // closed at once
  std::size_t max_buffer_bytes = 64 << 20;   // of all: see node/buffer_shares.h
  std::uint64_t stuck_ms = 30'000;           // has read nothing for so long while paused: closed
  std::uint64_t room_look_ms = 250;          // how often, while others want room
  std::uint64_t look_every_ms() const { return stuck_ms / looks; }
  static constexpr std::uint64_t looks = 4;
};

class Connection final : public Client {
 public:
  // `limits` and `owner` are borrowed for its life.
  Connection(node::ClientId id, const ClientLimits& limits, ClientOwner& owner, Transport transport,
             const MakeProtocol& make);

  // `first`: plain text read already, with loop::Loop::read_slack_bytes after it.
  void begin(std::string_view first, bool ended);

  // For its protocol.
  node::ClientId id() const { return id_; }
  bool wants_requests() const override { return wanted_ && !paused_ && !closing_ && !closed_; }
  void write(std::string_view bytes);  // leaves at the end of the turn
  void close() override;               // once all is written

  // Of the node, and of Clients.
  void respond(const codec::Request& request, const codec::Response& response) override;
  void want_requests(bool wanted) override;
  std::size_t unread_bytes() const override { return out_.size() + stream().queued_bytes(); }
  void resume() override;
  void write_out() override;
  bool check_progress() override;
  void refuse_line() override;
  std::uint64_t taken_bytes() const override {
    return handed_bytes_ - stream().unacknowledged_bytes();
  }
  void end_for_room() override;
  bool is_connection() const override { return true; }
  bool is_closed() const override { return closed_; }
  void on_removed(LingeringClose& lingering_close, const LogFunction& log) override;

 private:
  loop::Stream& stream() { return transport_.stream(); }
  const loop::Stream& stream() const { return transport_.stream(); }

  // Bytes of the stream, or its end (sys as loop::Stream says).
  void on_bytes(std::string_view wire);
  void on_end(int sys);
  // The kernel has taken some of what was written.
  void on_written();
  // Gives the protocol what has arrived, and the end of it, as long as requests are wanted.
  void pull(std::string_view bytes);
  // After a pull: a long line's beginning is kept only where the gate lets it, else no more is read.
  void update_line();
  void leave_line_gate();
  // Tells the owner what it holds.
  void count_input(std::size_t bytes);
  void count_unread(std::size_t bytes);
  bool may_read() const {
    return !stopped_ && !ended_ && !closing_ && !closed_ && line_ != Line::waits;
  }
  // After out_ has grown. One turn can bring more than all bounds: what is not read is given up
  // here, not when it is sent.
  void on_output();
  // Pauses where too much is unread, and goes on where it is less than half of that.
  void update_pause();
  // Paused or closing, with replies that wait: to be looked at every look_every_ms.
  bool is_slow() const { return !closed_ && (paused_ || closing_) && unread_bytes() > 0; }
  void begin_to_look();
  // Ends it because it does not read; `reason` is for the log.
  void give_up(std::string reason);
  // Ends it, to be removed between two events. `reason` is for the log; empty: in order.
  void end(std::string reason);

  node::ClientId id_;
  const ClientLimits& limits_;
  ClientOwner& owner_;
  Transport transport_;
  std::unique_ptr<ServerProtocol> protocol_;
  std::string out_;
  std::string close_reason_;
  ProgressWatch watch_;  // while it is slow
  std::uint64_t handed_bytes_ = 0;
  struct Counted {
    std::size_t input = 0, unread = 0;
  } counted_;  // as the owner has them
  enum class Line : std::uint8_t { short_or_none, waits, kept } line_ = Line::short_or_none;
  bool wanted_ = true;    // by the node
  bool paused_ = false;   // too much waits for it
  bool room_ = false;     // not any more, and nobody was told
  bool stopped_ = false;  // requests are kept back in protocol_
  bool ended_ = false;    // the end of its stream was read
  bool told_end_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool pulling_ = false;
  bool too_slow_ = false;
};

}  // namespace zatt::server
