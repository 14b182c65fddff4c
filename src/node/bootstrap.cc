// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/bootstrap.h"

#include <algorithm>

namespace zatt::node {
namespace {

using What = BootstrapStep::What;

const raft::Offer* offer_of(const std::vector<raft::Offer>& offers, ClusterId cluster) {
  for (const raft::Offer& offer : offers)
    if (cluster != ClusterId{} && offer.cluster == cluster) return &offer;
  return nullptr;
}

const ConnectedPeer* met_id(const BootstrapView& view, const std::string& id) {
  for (const ConnectedPeer& met : view.met)
    if (met.server.id == id) return &met;
  return nullptr;
}

// The first offer held of whose incarnations `next` names no majority. Null: `next` supersedes them
// all, and no two clusters can come out of them.
const raft::Offer* not_superseded(const raft::Offer& next, const std::vector<raft::Offer>& held) {
  for (const raft::Offer& offer : held) {
    const auto& members = offer.configuration.members;
    const auto kept = std::count_if(members.begin(), members.end(), [&](const raft::Member& m) {
      return next.configuration.find(m.server) != nullptr;
    });
    if (2 * static_cast<std::size_t>(kept) <= members.size()) return &offer;
  }
  return nullptr;
}

raft::Offer make_offer(const BootstrapView& view) {
  raft::Offer offer;
  offer.cluster = view.fresh_cluster;
  for (const raft::Offer& held : view.mine.offers)
    offer.number = std::max(offer.number, held.number);
  for (const ConnectedPeer& met : view.met)
    for (const raft::Offer& held : met.bootstrap_state.offers)
      offer.number = std::max(offer.number, held.number);
  ++offer.number;
  for (const auto& [id, address] : view.cluster) {
    const ConnectedPeer* met = met_id(view, id);
    const MemberId server = id == view.mine.self.id ? view.mine.self : met->server;
    offer.configuration.members.push_back({server, address, true, false, false});
  }
  std::sort(offer.configuration.members.begin(), offer.configuration.members.end(),
            [](const raft::Member& a, const raft::Member& b) { return a.server < b.server; });
  return offer;
}

// The ids whose directories an offer names and that are others now.
std::string replaced_ids(const BootstrapView& view, const raft::Offer& offer) {
  std::string ids;
  for (const raft::Member& member : offer.configuration.members) {
    const ConnectedPeer* met = met_id(view, member.server.id);
    const bool mine = member.server.id == view.mine.self.id;
    const bool same =
        mine ? member.server == view.mine.self : met == nullptr || met->server == member.server;
    if (!same) ids += (ids.empty() ? "" : ", ") + member.server.id;
  }
  return ids;
}

// Somebody holds another offer that ours does not come behind: it was on its way into a directory,
// and so not shown yet, when ours got its number.
bool is_overtaken(const BootstrapView& view, const raft::Offer& ours) {
  for (const ConnectedPeer& met : view.met)
    for (const raft::Offer& held : met.bootstrap_state.offers)
      if (held.cluster != ours.cluster && held.number >= ours.number) return true;
  return false;
}

BootstrapStep stuck(const BootstrapView& view, const raft::Offer& held) {
  BootstrapStep step;
  step.what = What::stuck;
  step.why = "the directories of nodes " + replaced_ids(view, held) +
             " are not those that this one was to form a cluster with, and nothing was ever voted "
             "in it: stop this node, empty its directory and start it again";
  return step;
}

// A bootstrap leader that entered a living cluster founds no other, even where nobody is left of it.
BootstrapStep wait_in_entered(const BootstrapView& view) {
  BootstrapStep step;
  for (const ConnectedPeer& met : view.met)
    if (met.bootstrap_state.cluster == view.mine.cluster) return step;
  step.what = What::stuck;
  step.why =
      "this directory entered a cluster that lived, and all the other directories were emptied "
      "since: put one of them back, or, to begin anew, stop this node, empty its directory too and "
      "start it again";
  return step;
}

BootstrapStep store(raft::Offer offer) {
  BootstrapStep step;
  step.what = What::store;
  step.offer = std::move(offer);
  return step;
}

// A peer that has been in a term: its cluster lives, and decides for us.
std::optional<BootstrapStep> follow_the_living(const BootstrapView& view) {
  std::optional<BootstrapStep> stuck;  // unless another one shows a way out
  for (const ConnectedPeer& met : view.met) {
    if (!met.bootstrap_state.acted || met.bootstrap_state.cluster == ClusterId{}) continue;
    BootstrapStep step;
    step.cluster = met.bootstrap_state.cluster;
    const raft::Offer* held = offer_of(view.mine.offers, met.bootstrap_state.cluster);
    if (met.bootstrap_state.cluster == view.mine.cluster) {
      if (held == nullptr) return step;  // we entered it without an offer: the log will come
      step.what = What::found;
      step.configuration = held->configuration;
      return step;
    }
    // Whom our present offer names, and who has acted elsewhere, will never store it: it is void.
    const raft::Offer* current = current_offer(view.mine);
    const bool is_void = current == nullptr ? view.mine.cluster == ClusterId{}
                                            : current->configuration.find(met.server) != nullptr;
    if (is_void) {
      if (current != nullptr) hit(view.instrumentation, CoveragePoint::offer_void);
      step.what = What::enter;
      return step;
    }
    step.what = What::stuck;
    step.why = "node " + met.server.id +
               " belongs to a cluster that lives, and this directory was to found another: stop "
               "this node, empty its directory and start it again";
    if (!stuck) stuck = std::move(step);
  }
  return stuck;
}

std::optional<BootstrapStep> take_offer(const BootstrapView& view,
                                        const ConnectedPeer& bootstrap_leader) {
  const raft::Offer* offer = current_offer(bootstrap_leader.bootstrap_state);
  if (offer == nullptr || offer->cluster == view.mine.cluster) return std::nullopt;
  if (offer->configuration.find(view.mine.self) == nullptr) return std::nullopt;
  const raft::Offer* current = current_offer(view.mine);
  if (current != nullptr && offer->number <= current->number) return std::nullopt;
  if (const raft::Offer* held = not_superseded(*offer, view.mine.offers)) return stuck(view, *held);
  return store(*offer);
}

// All have stored our offer, as their Hellos say; the bootstrap leader's own storing its offer implies.
bool is_stored_by_all(const BootstrapView& view, const raft::Offer& offer,
                      const std::string& bootstrap_leader) {
  return std::all_of(offer.configuration.members.begin(), offer.configuration.members.end(),
                     [&](const raft::Member& member) {
                       if (member.server == view.mine.self || member.server.id == bootstrap_leader)
                         return true;
                       const ConnectedPeer* met = met_id(view, member.server.id);
                       return met != nullptr && met->server == member.server &&
                              met->bootstrap_state.cluster == offer.cluster;
                     });
}

std::vector<std::string> unmet(const BootstrapView& view) {
  std::vector<std::string> ids;
  for (const auto& [id, address] : view.cluster)
    if (id != view.mine.self.id && met_id(view, id) == nullptr) ids.push_back(id);
  return ids;
}

}  // namespace

const raft::Offer* current_offer(const storage::HardState& state) {
  return offer_of(state.offers, state.cluster);
}

const raft::Offer* current_offer(const codec::BootstrapState& bootstrap_state) {
  return offer_of(bootstrap_state.offers, bootstrap_state.cluster);
}

BootstrapStep next_bootstrap_step(const BootstrapView& view) {
  const raft::Offer* current = current_offer(view.mine);
  BootstrapStep step;
  if (view.mine.raft_state.current_term >
      Term{0}) {  // this directory has acted: nothing is open any more
    if (current != nullptr) {
      step.what = What::found;
      step.configuration = current->configuration;
    }
    return step;
  }
  if (auto living = follow_the_living(view)) return *living;

  const std::string& bootstrap_leader = view.cluster.begin()->first;
  step.waiting_for = unmet(view);
  if (bootstrap_leader == view.mine.self.id) {
    if (!step.waiting_for.empty()) return step;
    if (view.mine.cluster != ClusterId{} && current == nullptr) return wait_in_entered(view);
    const bool has_one = current != nullptr && replaced_ids(view, *current).empty();
    const bool overtaken = has_one && is_overtaken(view, *current);
    if (overtaken) hit(view.instrumentation, CoveragePoint::offer_overtaken);
    if (!has_one || overtaken) {
      raft::Offer offer = make_offer(view);
      const raft::Offer* held = not_superseded(offer, view.mine.offers);
      return held == nullptr ? store(std::move(offer)) : stuck(view, *held);
    }
  } else if (const ConnectedPeer* met = met_id(view, bootstrap_leader)) {
    if (auto taken = take_offer(view, *met)) return *taken;
  }
  if (current != nullptr && is_stored_by_all(view, *current, bootstrap_leader)) {
    step.what = What::found;
    step.configuration = current->configuration;
  }
  return step;
}

}  // namespace zatt::node
