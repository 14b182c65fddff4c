// SPDX-License-Identifier: AGPL-3.0-or-later
// What tests of sockets share: turning the loop until something is so, and a connected pair.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "loop/connector.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/timer.h"

namespace zatt::loop {

// False where ten seconds did not make it so.
inline bool run_until(Loop& loop, const std::function<bool()>& so,
                      std::uint64_t limit_ms = 10'000) {
  bool late = false;
  Timer limit(loop, [&late] { late = true; });
  limit.start(limit_ms);
  while (!so() && !late) loop.run_once();
  return so();
}

inline void run_for(Loop& loop, std::uint64_t ms) {
  run_until(
      loop, [] { return false; }, ms);
}

struct Pair {
  Stream near;
  Stream far;
};

inline Pair connected_pair(Loop& loop) {
  Pair pair;
  auto listener = Listener::bind(loop, {"127.0.0.1", 0});
  if (!listener) return pair;
  const Status listening =
      listener->listen({.on_connection = [&pair](Stream stream) { pair.far = std::move(stream); },
                        .on_shortage = [](int) {}});
  if (!listening) return pair;
  Connector connect(loop, listener->local(), 5000,
                    [&pair](Stream stream, std::string) { pair.near = std::move(stream); });
  run_until(loop, [&pair] { return pair.near && pair.far; });
  return pair;
}

// Collects what a stream receives.
struct Sink {
  std::string bytes;
  std::optional<int> end;

  void attach(Stream& stream) {
    stream.set_events({.on_bytes = [this](std::string_view more) { bytes += more; },
                       .on_end = [this](int sys) { end = sys; },
                       .on_written = nullptr});
    stream.read_start();
  }
};

}  // namespace zatt::loop
