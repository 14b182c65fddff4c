// SPDX-License-Identifier: AGPL-3.0-or-later
// The insides of a Stream, for those who make one: Listener and Connect.
#pragma once

#include "loop/handle.h"
#include "loop/stream.h"

namespace zatt::loop {

struct Stream::Box {
  uv_tcp_t handle;
  char* read_buffer;
  Events events;
  bool open = true;  // false: its Stream is gone
  bool lost = false;

  void lose(int sys);
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle); }
};

}  // namespace zatt::loop
