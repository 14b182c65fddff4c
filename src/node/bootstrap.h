// SPDX-License-Identifier: AGPL-3.0-or-later
// How does a cluster come to be, once and only once?
//
// The initial member with the lowest id founds: when it has met all the others, it stores an offer
// (a new cluster id and the first configuration, which names every directory's incarnation) and
// shows it; each of the others stores the offer that names its own directory. Nobody campaigns
// before all have stored it. A directory that was emptied on the way is healed by a later offer;
// one that has been in a term (`acted`) never takes another. This file is the whole of those rules,
// as a function of what a directory holds and what the connected others show.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/instrumentation.h"
#include "base/types.h"
#include "codec/peer_message.h"
#include "raft/configuration.h"
#include "storage/hard_state.h"

namespace zatt::node {

// A connected peer: who it is, and how far its directory is.
struct ConnectedPeer {
  MemberId server;
  codec::BootstrapState bootstrap_state;
};

struct BootstrapView {
  const storage::HardState& mine;
  const std::map<std::string, Address>& cluster;  // the initial members of our own configuration
  const std::vector<ConnectedPeer>& met;
  ClusterId fresh_cluster{};  // a random number for an offer, should one be made
  Instrumentation* instrumentation = nullptr;
};

struct BootstrapStep {
  enum class What : std::uint8_t {
    wait,   // for those named in `waiting_for`, or for their answers
    store,  // `offer` is ours from now on (as its maker or taker): store it, show it
    enter,  // the cluster `cluster` lives: store that we belong to it, show it
    found,  // all have stored the offer with `configuration`: it is the first entry of the log
    stuck,  // cannot heal by itself: `why` names what to empty
  };
  What what = What::wait;
  raft::Offer offer;
  ClusterId cluster{};
  raft::Configuration configuration;
  std::vector<std::string> waiting_for;  // ids not connected
  std::string why;
};

// The next step of a directory whose log is still empty.
BootstrapStep next_bootstrap_step(const BootstrapView& view);

// The offer of the cluster that a directory belongs to; null where it has none.
const raft::Offer* current_offer(const storage::HardState& state);
const raft::Offer* current_offer(const codec::BootstrapState& bootstrap_state);

}  // namespace zatt::node
