// SPDX-License-Identifier: AGPL-3.0-or-later
// One person's connection: lines in while they are wanted, replies out as fast as they are read.
//
// Who does not read is first not read from, and in the end closed: its replies must not fill the
// node's memory. An idle client owns no buffer, so that thousands of them cost little.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "codec/json_lines.h"
#include "loop/stream.h"
#include "node/env.h"

namespace zatt::server {

struct ClientLimits {
  std::size_t max_line_bytes = 1 << 20;
  std::size_t pause_bytes = 1 << 20;         // so many bytes of replies unread: its lines wait
  std::size_t max_waiting_bytes = 64 << 20;  // closed at once
  std::uint64_t stuck_ms = 30'000;           // has read nothing for so long while paused: closed
  std::uint64_t look_every_ms() const { return stuck_ms / looks; }
  static constexpr std::uint64_t looks = 4;
};

// Whom a client tells. It is never destroyed while it does.
class ClientOwner {
 public:
  ClientOwner() = default;
  ClientOwner(const ClientOwner&) = delete;
  ClientOwner& operator=(const ClientOwner&) = delete;
  virtual ~ClientOwner() = default;

  virtual void on_line(node::ClientId id, std::string_view line, bool too_long) = 0;
  virtual void on_end(node::ClientId id) = 0;    // it will send no more
  virtual void on_ready(node::ClientId id) = 0;  // it is over, or wants resume()
  virtual void on_slow(node::ClientId id) = 0;   // is_slow() became true
};

class Client {
 public:
  Client(node::ClientId id, const ClientLimits& limits, ClientOwner& owner, loop::Stream stream);

  // `first`: bytes read already, with loop::Loop::read_slack_bytes behind them.
  void begin(std::string_view first, bool ended);

  void reply(std::string_view lines);
  void write_out();
  void want_lines(bool wanted);
  void close();   // once all is written
  void resume();  // goes on with lines kept back

  // Paused or leaving, with replies that wait: to be looked at every look_every_ms.
  bool is_slow() const { return !closed_ && (paused_ || closing_) && waiting_bytes() > 0; }
  void check_progress();

  bool is_closed() const { return closed_; }
  // Whether it has read enough since it was paused; once for each pause.
  bool take_room() { return std::exchange(room_, false); }
  bool has_closed_in_order() const { return closing_ && ended_; }
  bool was_too_slow() const { return too_slow_; }
  const std::string& close_reason() const { return close_reason_; }  // for the log; mostly empty
  Address remote() const { return stream_.remote(); }
  std::size_t waiting_bytes() const { return out_.size() + stream_.queued_bytes(); }
  loop::Stream take_stream() { return std::move(stream_); }

 private:
  bool wants_lines() const { return wanted_ && !paused_ && !closing_ && !closed_; }
  void pull(std::string_view bytes);
  void on_stream_end(int sys);
  void on_written();
  void update_pause();
  void begin_to_look();
  std::uint64_t taken_bytes() const { return handed_bytes_ - stream_.unacknowledged_bytes(); }
  void give_up(std::string close_reason);
  void end(std::string close_reason);

  node::ClientId id_;
  const ClientLimits& limits_;
  ClientOwner& owner_;
  loop::Stream stream_;
  codec::LineSplitter splitter_;
  std::string out_;
  std::string close_reason_;
  std::uint64_t taken_bytes_ = 0;  // by the other side, at the last look
  std::uint64_t handed_bytes_ = 0;
  std::uint64_t looks_in_vain_ = 0;
  bool wanted_ = true;    // by the node
  bool paused_ = false;   // too much waits for it
  bool room_ = false;     // not any more, and nobody was told
  bool stopped_ = false;  // lines are kept back in splitter_
  bool ended_ = false;    // the end of its stream was read
  bool told_end_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool pulling_ = false;
  bool too_slow_ = false;
};

}  // namespace zatt::server
