// SPDX-License-Identifier: AGPL-3.0-or-later
// One TCP connection: bytes in as they come, bytes out as the other side takes them.
//
// Its owner may destroy it at any time, even from its own callbacks, and hand it on by moving it.
// No callback comes out of a call to it, and none after it is destroyed.
//
// Not a uv_tcp_t: libuv's writes raise SIGPIPE where the other end is gone, and whether that is
// ignored is up to the host program.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "loop/box.h"
#include "loop/loop.h"

namespace zatt::loop {

class Stream {
 public:
  struct Events {
    // Borrowed for the call; Loop::read_slack_bytes after them are readable.
    std::function<void(std::string_view bytes)> on_bytes;
    // 0: the other side sends no more, and may still read. Else the connection is lost: an errno.
    std::function<void(int sys)> on_end;
    // Some of what was queued is with the kernel now.
    std::function<void()> on_written;
  };

  Stream() = default;
  explicit operator bool() const { return box_ != nullptr; }

  // Whom to tell from now on. Nothing is read before the first read_start().
  void set_events(Events events);

  void read_start();
  void read_stop();

  // Reads no more in a turn that is over: others are to be heard first.
  void read_within_turns(bool within);
  // As much at once as there is, whatever Loop::limit_reads() says.
  void read_freely(bool freely);

  // Bytes go out in order; what the kernel does not take at once is kept.
  void write(std::string&& bytes);
  std::size_t queued_bytes() const;  // not yet taken by the kernel
  // The same, and what the other end's kernel has not acknowledged: it falls as the other end reads,
  // long before our kernel takes more.
  std::size_t unacknowledged_bytes() const;
  // No more is written: the other side sees the end once it has read what is queued.
  void shut_down();

  // The kernel holds back from us once this much of ours is unsent (TCP_NOTSENT_LOWAT).
  void limit_unsent(int bytes);
  // Notice an other side that is gone without a word, after about idle_s + 6 * interval_s.
  void keep_alive(int idle_s, int interval_s);
  // Give up an other side that does not acknowledge, or has no room, for this long.
  void limit_unacknowledged(int seconds);

  Address remote() const;

 private:
  friend class Listener;
  friend class Connector;
  struct Box;
  // Takes over a socket that does not block, connected or being connected. Where the loop cannot
  // watch it, it is closed and the Stream is empty.
  Stream(Loop& loop, int fd);
  // setsockopt(); a kernel that does not know the option does without it.
  void set_option(int level, int option, int value);

  Owned<Box> box_;
};

}  // namespace zatt::loop
