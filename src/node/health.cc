// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/health.h"

#include <algorithm>
#include <utility>

namespace zatt::node {
namespace {

constexpr std::size_t max_refusals = 16;  // of one peer that are worth a line

std::string lasting(std::uint64_t from_us, std::uint64_t to_us) {
  return std::to_string((to_us - from_us) / 1'000'000) + " s";
}

}  // namespace

Health::Change Health::assess(State& state, bool bad, std::uint64_t now_us) {
  const bool was = std::exchange(state.bad, bad);
  Change change = Change::none;
  if (bad && !was) {
    state.since_us = now_us;
    change = Change::worse;
  } else if (bad && now_us - state.said_us >= repeat_us) {
    change = Change::still;
  } else if (!bad && was) {
    change = Change::better;
  }
  if (change != Change::none) state.said_us = now_us;
  if (bad) wake_at_us_ = std::min(wake_at_us_, state.said_us + repeat_us);
  return change;
}

std::vector<HealthEvent> Health::look(const Picture& now, std::uint64_t now_us) {
  wake_at_us_ = never_us;
  events_.clear();
  for (const auto& [id, peer] : now.peers) look_at_peer(id, peer, now_us);
  look_at_cluster(now, now_us);
  look_at_disk(now, now_us);
  look_at_room(now, now_us);
  return std::exchange(events_, {});
}

void Health::look_at_peer(const std::string& id, const PeerHealth& peer, std::uint64_t now_us) {
  Gone& gone = gone_[id];
  const std::string& reason = peer.refusal.empty() ? peer.why : peer.refusal;
  const std::string why = reason.empty() ? "" : ": " + reason;
  Change change = assess(gone, !peer.connected, now_us);
  if (peer.connected) gone.refusals.clear();
  const bool is_new = !peer.connected && !peer.refusal.empty() &&
                      gone.refusals.size() < max_refusals &&
                      gone.refusals.insert(peer.refusal).second;
  if (is_new && change == Change::none) {
    change = Change::still;
    gone.said_us = now_us;
  }
  switch (change) {
    case Change::worse:
      say(LogLevel::warning, "node " + id + " is gone" + why);
      break;
    case Change::still:
      say(LogLevel::warning,
          "node " + id + " is still gone, after " + lasting(gone.since_us, now_us) + why);
      break;
    case Change::better:
      say(LogLevel::info, "node " + id + " is back after " + lasting(gone.since_us, now_us));
      break;
    case Change::none:
      break;
  }
  look_how_far(id, peer, now_us);
}

// Who is gone is not said to be behind as well, nor is anyone said to have caught up by whoever
// leads no longer.
void Health::look_how_far(const std::string& id, const PeerHealth& peer, std::uint64_t now_us) {
  if (!peer.connected || !peer.behind) {
    behind_.erase(id);
    return;
  }
  State& behind = behind_[id];
  const bool is_behind = *peer.behind > (behind.bad ? caught_up : far_behind);
  switch (assess(behind, is_behind, now_us)) {
    case Change::worse:
    case Change::still:
      say(LogLevel::warning,
          "node " + id + " is far behind, by " + std::to_string(*peer.behind) + " entries");
      break;
    case Change::better:
      say(LogLevel::info,
          "node " + id + " has caught up after " + lasting(behind.since_us, now_us));
      break;
    case Change::none:
      break;
  }
  if (is_behind) wake_at_us_ = std::min(wake_at_us_, now_us + settle_us);
}

void Health::look_at_cluster(const Picture& now, std::uint64_t now_us) {
  switch (assess(no_majority_, !now.majority, now_us)) {
    case Change::worse:
    case Change::still:
      say(LogLevel::warning, "no majority is connected: " + now.missing);
      break;
    case Change::better:
      say(LogLevel::info,
          "a majority is connected again, after " + lasting(no_majority_.since_us, now_us));
      break;
    case Change::none:
      break;
  }
  // Who leads is said at once, by whoever learns it.
  const Change led = assess(no_leader_, !now.led, now_us);
  if (led == Change::worse || led == Change::still)
    say(LogLevel::warning, "no leader is known, term " + std::to_string(now.term));
}

void Health::look_at_disk(const Picture& now, std::uint64_t now_us) {
  switch (assess(disk_, now.disk_slow, now_us)) {
    case Change::worse:
    case Change::still:
      say(LogLevel::warning, "the disk is slow: a write takes longer than a second");
      break;
    case Change::better:
      say(LogLevel::info, "the disk keeps up again, after " + lasting(disk_.since_us, now_us));
      break;
    case Change::none:
      break;
  }
}

void Health::look_at_room(const Picture& now, std::uint64_t now_us) {
  const bool used_up = now.room == DiskSpace::full;
  Change change = assess(full_, now.room != DiskSpace::enough, now_us);
  if (change == Change::none && used_up && !used_up_said_) {
    change = Change::worse;
    full_.said_us = now_us;
  }
  used_up_said_ = full_.bad && (used_up_said_ || used_up);
  switch (change) {
    case Change::worse:
    case Change::still:
      say(LogLevel::warning,
          now.no_room + (used_up
                             ? " and its reserve is used up; all writes are refused until there "
                               "is room"
                             : "; writes that need more room are refused until there is some"));
      break;
    case Change::better:
      say(LogLevel::info,
          now.storage + ": the disk has room again, after " + lasting(full_.since_us, now_us));
      break;
    case Change::none:
      break;
  }
}

void Health::stir(std::uint64_t now_us) { wake_at_us_ = std::min(wake_at_us_, now_us + settle_us); }

bool Health::says_behind(const std::string& id) const {
  const auto it = behind_.find(id);
  return it != behind_.end() && it->second.bad;
}

}  // namespace zatt::node
