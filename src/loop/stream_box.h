// SPDX-License-Identifier: AGPL-3.0-or-later
// The insides of a Stream, for those who make one: Listener and Connector.
#pragma once

#include <functional>
#include <list>
#include <string>

#include "loop/handle.h"
#include "loop/stream.h"

namespace zatt::loop {

struct Stream::Box : SocketBox {
  Loop* loop = nullptr;
  Events events;
  std::function<void(int sys)> on_connected;  // only while it is being connected
  std::list<std::string> queue;               // not with the kernel yet
  std::size_t sent_of_first = 0;
  std::size_t queued_bytes = 0;
  int polled = 0;   // for what libuv watches it
  int failure = 0;  // the errno of a write, until it is told
  bool reading = false;
  bool within_turns = false;   // read_within_turns(true) was
  bool freely = false;         // read_freely(true) was
  bool shutting_down = false;  // once the queue is empty
  bool lost = false;

  // Has libuv watch for what is of interest now: to be called after any change of that.
  void poll();
  // libuv's callback: a status below 0, or what the socket is ready for.
  void on_event(int status, int ready);
  // Reads and hands out what there is, up to a bound, so that others have their turn.
  void read();
  // Writes what is queued, as much as the kernel takes.
  void write();
  // Returns how many bytes the kernel took; sets `failure` where that was an error. A lost
  // connection never raises a signal.
  std::size_t send_some(std::string_view bytes);
  // Sends the end of the stream, once it was asked for and nothing is queued.
  void finish_writing();
  // The connection is lost with this errno: told once.
  void lose(int sys);
};

}  // namespace zatt::loop
