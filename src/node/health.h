// SPDX-License-Identifier: AGPL-3.0-or-later
// What changed for the operator: one line for each change of state, and a lasting one again each
// hour.
//
// A picture of the node in, lines out. What passes before it is looked at is worth no line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/types.h"
#include "node/env.h"

namespace zatt::node {

struct PeerHealth {
  bool connected = false;
  std::string why;                      // not connected, as far as that is known
  std::string refusal;                  // not connected, as one of the two refuses the other
  std::optional<std::uint64_t> behind;  // entries, where this node leads and knows
};

struct Picture {
  std::map<std::string, PeerHealth> peers;  // the other members
  bool majority = true;
  std::string missing;  // where there is no majority: who
  bool led = false;     // a leader is known
  std::uint64_t term = 0;
  bool disk_slow = false;
  DiskSpace room = DiskSpace::enough;
  std::string storage;  // the directory's name
  std::string no_room;  // where its disk has none: which one, and why
};

struct HealthEvent {
  LogLevel level = LogLevel::info;
  std::string text;
  friend bool operator==(const HealthEvent&, const HealthEvent&) = default;
};

class Health {
 public:
  static constexpr std::uint64_t settle_us = 1'000'000;      // from a change until it is looked at
  static constexpr std::uint64_t repeat_us = 3'600'000'000;  // of a lasting state
  static constexpr std::uint64_t far_behind = 10'000;        // entries
  static constexpr std::uint64_t caught_up = 1'000;
  static constexpr std::uint64_t slow_disk_us = 1'000'000;  // one batch
  // Without a batch so slow: the disk is well again. Also where nothing is written, as on an idle
  // node: then nothing waits for it.
  static constexpr std::uint64_t disk_quiet_us = 10'000'000;

  std::vector<HealthEvent> look(const Picture& now, std::uint64_t now_us);

  // Something may have changed: look() is due soon.
  void stir(std::uint64_t now_us);
  std::uint64_t wake_at_us() const { return wake_at_us_; }
  bool says_behind(const std::string& id) const;
  bool says_slow() const { return disk_.bad; }
  bool says_no_leader() const { return no_leader_.bad; }

 private:
  // One thing that is well or is not.
  struct State {
    bool bad = false;
    std::uint64_t since_us = 0;
    std::uint64_t said_us = 0;
  };
  struct Gone : State {
    std::set<std::string> refusals;  // said since it is gone
  };
  enum class Change : std::uint8_t { none, worse, still, better };

  Change assess(State& state, bool bad, std::uint64_t now_us);
  void look_at_peer(const std::string& id, const PeerHealth& peer, std::uint64_t now_us);
  void look_how_far(const std::string& id, const PeerHealth& peer, std::uint64_t now_us);
  void look_at_cluster(const Picture& now, std::uint64_t now_us);
  void look_at_disk(const Picture& now, std::uint64_t now_us);
  void look_at_room(const Picture& now, std::uint64_t now_us);
  void say(LogLevel level, std::string text) { events_.push_back({level, std::move(text)}); }

  std::map<std::string, Gone> gone_;
  std::map<std::string, State> behind_;
  State no_majority_, no_leader_, disk_, full_;
  bool used_up_said_ = false;  // the reserve of a full disk
  std::vector<HealthEvent> events_;
  std::uint64_t wake_at_us_ = never_us;
};

}  // namespace zatt::node
