// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/bootstrapper.h"

#include <utility>

#include "node/recovery.h"
#include "storage/slots.h"

namespace zatt::node {
namespace {

constexpr std::size_t max_offers = 64;
constexpr std::size_t vote_bytes = 256;  // what a vote and a floor may still add to a slot

// Whether a slot of the hard state has room for this one too.
bool has_room_for(storage::HardState state, const raft::Offer& offer) {
  state.offers.push_back(offer);
  std::string bytes;
  encode(state, bytes);
  return state.offers.size() <= max_offers &&
         bytes.size() + vote_bytes <= storage::max_hard_state_bytes;
}

}  // namespace

Bootstrapper::Actions Bootstrapper::pursue() {
  if (!persister_.is_bootstrap_durable() || (has_acted() && is_in_cluster())) return {};
  std::vector<ConnectedPeer> met;
  for (const PeerConnection* peer : connected())
    met.push_back({peer->server, peer->bootstrap_state});
  const ClusterId fresh{env_.random()};
  return carry_out(next_bootstrap_step(
      {persister_.hard_state(), options_.cluster, met, fresh, options_.instrumentation}));
}

Bootstrapper::Actions Bootstrapper::carry_out(const BootstrapStep& step) {
  if (step.what != BootstrapStep::What::stuck) stuck_.clear();
  switch (step.what) {
    case BootstrapStep::What::wait:
      break;
    case BootstrapStep::What::store:
      return store(step.offer);
    case BootstrapStep::What::enter:
      return enter(step.cluster);
    case BootstrapStep::What::found:
      if (!is_in_cluster()) return {false, step.configuration, false};
      break;  // long since
    case BootstrapStep::What::stuck:
      be_stuck(step.why);
      break;
  }
  return {};
}

Bootstrapper::Actions Bootstrapper::store(const raft::Offer& offer) {
  if (!has_room_for(persister_.hard_state(), offer)) {
    stuck_ = "this directory has no room for another offer to create a cluster, and of the " +
             std::to_string(persister_.hard_state().offers.size()) +
             " that it held none came to be: stop this node, empty its directory and start it "
             "again";
    return {};
  }
  next_offers_ = persister_.hard_state().offers;
  next_offers_.push_back(offer);
  next_cluster_ = offer.cluster;
  return {has_log(), std::nullopt, true};
}

Bootstrapper::Actions Bootstrapper::enter(ClusterId cluster) {
  hit(options_.instrumentation, CoveragePoint::living_cluster_entered);
  env_.log(LogLevel::warning, "this directory is new, and cluster " + cluster_name(cluster) +
                                  " lives: it belongs to it from now on");
  next_offers_ = persister_.hard_state().offers;
  next_cluster_ = cluster;
  return {has_log(), std::nullopt, true};
}

void Bootstrapper::be_stuck(const std::string& why) {
  if (stuck_ == why) return;
  hit(options_.instrumentation, CoveragePoint::bootstrap_stuck);
  env_.log(LogLevel::error, why);
  stuck_ = why;
}

Bootstrapper::Actions Bootstrapper::on_raft_message() {
  const raft::Offer* offer = current_offer(persister_.hard_state());
  if (is_in_cluster() || offer == nullptr) return {};
  hit(options_.instrumentation, CoveragePoint::bootstrapped_by_a_message);
  stuck_.clear();
  return {false, offer->configuration, false};
}

Bootstrapper::Actions Bootstrapper::drop_abandoned() {
  if (has_acted() || !has_log()) return {};
  const storage::HardState& state = persister_.hard_state();
  const raft::Offer* offer = current_offer(state);
  if (offer != nullptr && offer->configuration == raft_.configuration()) return {};
  hit(options_.instrumentation, CoveragePoint::truncation_of_offer_lost);
  next_cluster_ = state.cluster;
  next_offers_ = state.offers;
  return {true, std::nullopt, true};
}

void Bootstrapper::save(WriteNumber number) {
  if (next_cluster_) persister_.save_bootstrap(number, *next_cluster_, std::move(next_offers_));
  next_cluster_.reset();
}

codec::BootstrapState Bootstrapper::state() const {
  codec::BootstrapState state;
  state.acted = has_acted();
  if (!persister_.is_bootstrap_durable()) return state;
  state.cluster = persister_.hard_state().cluster;
  if (!state.acted) state.offers = persister_.hard_state().offers;
  return state;
}

codec::Hello Bootstrapper::hello() const {
  codec::Hello hello;
  hello.server = persister_.hard_state().self;
  hello.address = options_.cluster.at(options_.id);
  for (const auto& [id, address] : options_.cluster) hello.ids.push_back(id);
  hello.bootstrap_state = state();
  return hello;
}

void Bootstrapper::show_to(PeerConnection& peer) {
  connections_.send(peer, Priority::control, state());
}

bool Bootstrapper::ask_again() {
  codec::BootstrapState shown = state();
  shown.asks = true;
  bool any = false;
  for (PeerConnection* peer : connected()) {
    if (is_in_cluster() && is_same_cluster(*peer)) continue;
    any = true;
    connections_.send(*peer, Priority::control, shown);
  }
  return any;
}

bool Bootstrapper::is_in_cluster() const {
  return persister_.hard_state().cluster != ClusterId{} && persister_.is_bootstrap_durable() &&
         (has_log() || current_offer(persister_.hard_state()) == nullptr);
}

bool Bootstrapper::is_same_cluster(const PeerConnection& peer) const {
  const ClusterId ours = persister_.hard_state().cluster;
  return ours != ClusterId{} && peer.bootstrap_state.cluster == ours;
}

std::vector<PeerConnection*> Bootstrapper::connected() const {
  std::vector<PeerConnection*> all;
  for (const auto& [id, link] : connections_.by_id())
    if (PeerConnection* peer = connections_.find_link(link)) all.push_back(peer);
  return all;
}

}  // namespace zatt::node
