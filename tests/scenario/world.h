// SPDX-License-Identifier: AGPL-3.0-or-later
// What a scenario is played on: consensus cores stepped by hand (core_world.h), or whole nodes in
// simulated time (node_world.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raft/raft.h"
#include "tests/scenario/script.h"

namespace zatt::test {

class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;

  virtual Words ids() const = 0;
  virtual bool is_up(const std::string& id) const = 0;
  virtual const raft::Raft& raft(const std::string& id) const = 0;
  virtual std::uint64_t terms_led() const = 0;  // how many terms have had a leader
  // What it does not allow to happen and did happen, since it was asked last.
  virtual std::vector<std::string> violations() = 0;

  // --- time ---
  virtual std::uint64_t now_us() const = 0;
  // Lets the next thing happen that happens by itself, and is not after `until_us`. False: it is
  // later now, and nothing is left to happen.
  virtual bool run_one(std::uint64_t until_us) = 0;
  virtual bool elect(const std::string& id) = 0;  // whether it leads in the end

  // --- servers ---
  virtual void crash(const std::string& id) = 0;
  virtual void start(const std::string& id) = 0;
  virtual void wipe(const std::string& id) = 0;

  // --- the network ---
  virtual Rules& rules() = 0;
  virtual void on_rules_cleared(bool all) = 0;
  virtual void deliver(const Which& which) = 0;
  virtual void lose(const Which& which) = 0;
  virtual std::uint64_t sent(const Which& which) const = 0;
  virtual void cut(const std::string& from, const std::string& to) = 0;
  virtual void mend(const std::string& a, const std::string& b) = 0;

  // --- what is known in this world alone ---
  // False: there is no such statement.
  virtual bool perform(const Words& words) = 0;
  // More words about how a server stands.
  virtual std::string more_about(const std::string& id) const = 0;
  // What may be expected besides servers and counters; nothing: that is none of it. Else what it is
  // instead, empty where it is so.
  virtual std::optional<std::string> why_not(const Words& condition) = 0;
  // It was so, and the script goes on.
  virtual void on_expected(const Words& condition) = 0;
  // Words for counters of its own: `load=98`.
  virtual Words counters() const = 0;
  virtual void restart_counters() = 0;
  // The script is over. What is wrong with all that was seen, and the states that end the outcome.
  virtual void on_end() = 0;
  virtual bool shows_states_at_end() const = 0;
};

}  // namespace zatt::test
