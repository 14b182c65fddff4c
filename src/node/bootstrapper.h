// SPDX-License-Identifier: AGPL-3.0-or-later
// How this node comes to belong to a cluster: the rule of node/bootstrap.h, carried out.
//
// It stores offers, shows what is durable of them, and says when the core may be spoken to. What is
// not durable yet is shown to nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codec/peer_message.h"
#include "node/bootstrap.h"
#include "node/options.h"
#include "node/peer_connections.h"
#include "node/persister.h"
#include "raft/raft.h"

namespace zatt::node {

class Bootstrapper {
 public:
  // All are borrowed for its life.
  Bootstrapper(const Options& options, Env& env, const raft::Raft& raft, Persister& persister,
               PeerConnections& connections)
      : options_(options),
        env_(env),
        raft_(raft),
        persister_(persister),
        connections_(connections) {}

  // What the node has to do, in this order.
  struct Actions {
    bool abandon = false;  // what was bootstrapped and never acted in: peers leave the core first
    std::optional<raft::Configuration> bootstrap;  // for the core; then peers enter it
    bool save = false;                             // then save() is to be called
  };
  // The next step, where there is one: the connected peers or what they show have changed.
  Actions pursue();
  // Somebody of our cluster speaks of terms, and so knows that all have stored its offer.
  Actions on_raft_message();
  // At a start: a crash can keep a new offer, and lose the truncation of what was bootstrapped
  // before it. Not both as entry 1.
  Actions drop_abandoned();
  // `number`: of the core's write numbers, taken for this.
  void save(WriteNumber number);

  // What others are shown of this directory.
  codec::BootstrapState state() const;
  codec::Hello hello() const;
  void show_to(PeerConnection& peer);
  // What a peer shows may have been lost on the way: asks those again who are not in our cluster.
  // Whether there are such.
  bool ask_again();

  // The core may be spoken to.
  bool is_in_cluster() const;
  bool is_same_cluster(const PeerConnection& peer) const;
  bool has_acted() const { return persister_.hard_state().raft_state.current_term > Term{0}; }
  // Why this cannot heal by itself, for a person; mostly empty.
  const std::string& stuck() const { return stuck_; }
  std::vector<PeerConnection*> connected() const;

 private:
  Actions carry_out(const BootstrapStep& step);
  Actions store(const raft::Offer& offer);
  Actions enter(ClusterId cluster);
  void be_stuck(const std::string& why);
  bool has_log() const { return raft_.log().last_index() > Index{0}; }

  const Options& options_;
  Env& env_;
  const raft::Raft& raft_;
  Persister& persister_;
  PeerConnections& connections_;
  std::string stuck_;
  std::optional<ClusterId> next_cluster_;  // to be saved, with the offers
  std::vector<raft::Offer> next_offers_;
};

}  // namespace zatt::node
