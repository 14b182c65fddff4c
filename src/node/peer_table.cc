// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/peer_table.h"

#include <algorithm>

namespace zatt::node {
namespace {

constexpr std::uint64_t refusal_counts_us = 60'000'000;  // then it may be another that is there
// Whoever runs twice is refused for longer than a connection to a process that is no more can last.
constexpr std::uint64_t twice_patience_us = 30'000'000;

}  // namespace

void PeerTable::on_up(const std::string& id) {
  Peer& peer = peers_[id];
  peer.seen_us = env_.now_us();
  peer.dial_error.clear();
  peer.refusal.clear();
  peer.alien_us = never_us;
}

void PeerTable::on_down(const std::string& id, const std::string& why) {
  Peer& peer = peers_[id];
  peer.seen_us = env_.now_us();
  peer.dial_error = why;
}

bool PeerTable::on_dial_failed(const std::string& id, std::string_view why) {
  Peer& peer = peers_[id];
  if (peer.dial_error == why) return false;
  peer.dial_error = std::string(why);
  return true;
}

void PeerTable::refuse(const std::string& id, const codec::Refused& refused, bool called,
                       bool connected) {
  Peer& peer = peers_[id];
  if (!connected) peer.refusal = "it is refused: " + refused.text;
  if (called && refused.why == codec::Refused::Why::cluster) peer.alien_us = env_.now_us();
}

void PeerTable::on_refused(const std::string& id, const codec::Refused& refused) {
  const std::uint64_t now = env_.now_us();
  Peer& peer = peers_[id];
  peer.refusal = "it refuses this node: " + refused.text;
  if (refused.why == codec::Refused::Why::cluster) peer.alien_us = now;
  if (refused.why != codec::Refused::Why::twice) return;
  if (peer.twice_us == never_us || now - peer.twice_us > refusal_counts_us)
    peer.twice_since_us = now;
  peer.twice_us = now;
}

bool PeerTable::is_refused_by_majority() const {
  const auto is_recent = [now = env_.now_us()](std::uint64_t at_us) {
    return at_us != never_us && now - at_us <= refusal_counts_us;
  };
  const auto refusing = std::count_if(peers_.begin(), peers_.end(), [&](const auto& entry) {
    const Peer& peer = entry.second;
    return is_recent(peer.alien_us) ||
           (is_recent(peer.twice_us) && peer.twice_us - peer.twice_since_us >= twice_patience_us);
  });
  return 2 * static_cast<std::size_t>(refusing) > options_.cluster.size();
}

const PeerTable::Peer* PeerTable::find(const std::string& id) const {
  const auto it = peers_.find(id);
  return it == peers_.end() ? nullptr : &it->second;
}

std::string PeerTable::where(const std::string& id) const {
  std::string text;
  if (const auto it = options_.cluster.find(id); it != options_.cluster.end())
    text = " at " + to_string(it->second);
  const Peer* peer = find(id);
  if (peer == nullptr) return text + " (never seen)";
  if (!peer->refusal.empty()) return text + " (" + peer->refusal + ")";
  const bool seen = peer->seen_us != never_us;
  text +=
      seen ? " (last seen " + std::to_string((env_.now_us() - peer->seen_us) / 1'000'000) + " s ago"
           : " (never seen";
  // That nobody listens where nobody was ever seen goes without saying.
  if (!peer->dial_error.empty() && (seen || peer->dial_error != "nothing listens there"))
    text += ": " + peer->dial_error;
  return text + ")";
}

}  // namespace zatt::node
