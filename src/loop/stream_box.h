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
  char* read_buffer = nullptr;
  Events events;
  std::function<void(int sys)> on_connected;  // while it is being connected
  std::list<std::string> queue;               // not with the kernel yet
  std::size_t sent_of_first = 0;
  std::size_t queued_bytes = 0;
  int polled = 0;   // for what libuv watches it
  int failure = 0;  // the errno of a write, not told yet
  bool reading = false;
  bool shutting_down = false;  // once the queue is empty
  bool lost = false;

  void poll();
  void on_event(int status, int ready);
  void read();
  void write();
  std::size_t send_some(std::string_view bytes);
  void finish_writing();
  void lose(int sys);
};

}  // namespace zatt::loop
