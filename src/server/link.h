// SPDX-License-Identifier: AGPL-3.0-or-later
// One connection to another node: frames in, frames out, control before bulk.
//
// A heartbeat must not wait behind a megabyte. So frames wait here, in two queues, and only a
// bounded amount of them is ever handed to the kernel, which in turn is told to hold little that
// it has not sent (TCP_NOTSENT_LOWAT). Small frames leave together, in one write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "codec/peer_frames.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "node/env.h"
#include "server/peer_sink.h"
#include "server/progress_watch.h"
#include "server/transport.h"

namespace zatt::server {

struct LinkLimits {
  std::uint64_t stuck_ms = 10'000;  // has taken nothing for so long while something waits: closed
  std::uint64_t max_unsent_bytes = node::Env::max_unsent_bytes;  // closed at once
  // Looks are counted, not time, as for clients.
  std::uint64_t look_every_ms() const { return stuck_ms / looks; }
  static constexpr std::uint64_t looks = 4;
};

class Link {
 public:
  static constexpr std::size_t max_handed_bytes = 128 << 10;  // to the kernel and not yet taken
  static constexpr std::uint64_t magic_limit_ms = 5000;
  static constexpr std::uint64_t closing_limit_ms = 1000;

  // Who called has said the magic already when a Link is made of it; who is called says it next.
  enum class Side : std::uint8_t { caller, answerer };
  // `sink` hears its frames, and is borrowed; `on_closed`: the owner has something to reap. Both may
  // be called from any of the functions below but the constructor.
  Link(loop::Loop& loop, node::LinkId id, const LinkLimits& limits, Transport transport, Side side,
       PeerSink& sink, std::function<void()> on_closed);

  // `first`: plain text that followed the caller's magic.
  void begin(std::string_view first);
  // Kept until flush(). What waits is bounded by those who send (node::Env): the bound here is for
  // what they must have got wrong.
  void send(node::Priority priority, std::string frame);
  void flush();  // hands on what may be handed on
  // Reads no more; closed once all is written, or after a second.
  void close();

  bool is_closed() const { return closed_; }
  bool is_closing() const { return closing_; }
  // Why, for a person; empty where there is nothing to tell.
  const std::string& close_reason() const { return close_reason_; }
  // The peer never spoke as a node does: it is not one, or not now.
  bool was_no_peer() const { return closed_ && !has_magic_ && !close_reason_.empty(); }
  // What the kernel has not taken.
  std::size_t unsent_bytes() const { return waiting_bytes_ + stream().queued_bytes(); }
  Address remote() const { return stream().remote(); }
  loop::Stream take_stream() { return std::move(transport_.stream()); }
  bool is_whole() const { return whole_; }  // all that was sent is written

 private:
  const loop::Stream& stream() const { return transport_.stream(); }
  loop::Stream& stream() { return transport_.stream(); }

  // Bytes of the stream, or its end (sys as loop::Stream says).
  void on_bytes(std::string_view wire);
  void on_end(int sys);
  // Their plain text: the peer's magic, unless it has said it, and frames.
  void on_plain(std::string_view bytes);
  // Hands the sink each frame that is whole; ends the link at one that cannot be.
  void split(std::string_view bytes);
  void hand_on(std::string chunk);
  // Ends it where the peer has taken nothing in so many looks, though there was something to take.
  void look();
  std::uint64_t taken_bytes() const { return handed_bytes_ - stream().unacknowledged_bytes(); }
  // The time for the magic, or for what is left to write, is up.
  void on_limit();
  // Ends it, to be reaped between two events.
  void end(std::string close_reason);
  // The frames that may be handed to the kernel now; at least one, however large.
  std::string next_chunk();

  const node::LinkId id_;
  const LinkLimits limits_;
  Transport transport_;
  loop::Timer limit_;
  loop::Timer look_timer_;
  PeerSink& sink_;
  std::function<void()> on_closed_;
  std::string magic_;  // as far as the peer has said it
  codec::FrameSplitter splitter_;
  std::deque<std::string> control_;
  std::deque<std::string> bulk_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t handed_bytes_ = 0;
  ProgressWatch watch_;  // while something waits
  std::string close_reason_;
  bool has_magic_;  // the peer has said it
  bool closing_ = false;
  bool closed_ = false;
  bool whole_ = false;
};

}  // namespace zatt::server
