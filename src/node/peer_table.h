// SPDX-License-Identifier: AGPL-3.0-or-later
// What is known of the other members: when each was heard, why it is not connected, who refuses
// whom, and of whom the core has been told that it is there.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "codec/peer_message.h"
#include "node/env.h"
#include "node/options.h"

namespace zatt::node {

class PeerTable {
 public:
  struct Peer {
    std::uint64_t seen_us = never_us;
    std::string dial_error;             // or why its connection ended
    std::string refusal;                // the last one, by either side
    std::uint64_t alien_us = never_us;  // when it was last found to be of another cluster
    // When it last refused this node as started twice, and since when it does.
    std::uint64_t twice_us = never_us;
    std::uint64_t twice_since_us = 0;
  };

  // Both are borrowed for its life.
  PeerTable(const Options& options, Env& env) : options_(options), env_(env) {}

  void on_up(const std::string& id);
  void on_down(const std::string& id, const std::string& why);
  void on_message(const std::string& id) { peers_[id].seen_us = env_.now_us(); }
  // False where that is no news.
  bool on_dial_failed(const std::string& id, std::string_view why);
  // This node refuses it. `called`: by this node, at the address in its configuration; an incoming
  // connection proves nothing. `connected`: another process of that name is, which is not refused.
  void refuse(const std::string& id, const codec::Refused& refused, bool called, bool connected);
  // It refuses this node.
  void on_refused(const std::string& id, const codec::Refused& refused);
  // Whether a majority finds that this node does not belong to them. Not for one alone: it may be
  // that one which is wrong.
  bool is_refused_by_majority() const;

  // Null where nothing is known of it.
  const Peer* find(const std::string& id) const;
  // " at HOST:PORT (what is known of it)".
  std::string where(const std::string& id) const;

  // Of whom the core has had a PeerUp, and no PeerDown since. attach: false where it has already;
  // detach: false where it has not.
  bool attach(const MemberId& member) { return attached_.insert(member).second; }
  bool detach(const MemberId& member) { return attached_.erase(member) > 0; }
  bool is_attached(const MemberId& member) const { return attached_.contains(member); }
  std::vector<MemberId> attached() const { return {attached_.begin(), attached_.end()}; }

 private:
  const Options& options_;
  Env& env_;
  std::map<std::string, Peer> peers_;  // by id
  std::set<MemberId> attached_;
};

}  // namespace zatt::node
