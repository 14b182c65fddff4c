// SPDX-License-Identifier: AGPL-3.0-or-later
// Turns a loop as Server does, around parts of it and without a node.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "loop/loop_hooks.h"
#include "server/clients.h"
#include "server/lingering_close.h"
#include "server/peer_links.h"
#include "tests/loop/harness.h"

namespace zatt::server {

struct World {
  loop::Loop loop;
  LingeringClose lingering_close{loop};
  std::string log;
  std::function<void()> on_turn = [] {};
  loop::LoopHooks turn{loop, [] {}, [this] { on_turn(); }};

  bool until(const std::function<bool()>& so, std::uint64_t limit_ms = 10'000) {
    return loop::run_until(loop, so, limit_ms);
  }
  void pause(std::uint64_t ms) { loop::run_for(loop, ms); }

  std::function<void(node::LogLevel, std::string_view)> logger() {
    return [this](node::LogLevel level, std::string_view line) {
      if (level != node::LogLevel::debug) log += std::string(line) + "\n";
    };
  }
};

}  // namespace zatt::server
