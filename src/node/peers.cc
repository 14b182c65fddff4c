// SPDX-License-Identifier: AGPL-3.0-or-later
// Greetings, founding, and messages between members.
#include <algorithm>

#include "node/recovery.h"
#include "node/replica.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t look_every_us = 1'000'000;
constexpr std::uint64_t say_every_us = 30'000'000;
constexpr std::uint64_t say_again_us = Health::repeat_us;
constexpr std::uint64_t refusal_counts_us = 60'000'000;  // then it may be another that is there
// Whoever runs twice is refused for longer than a connection to a process that is no more can last.
constexpr std::uint64_t twice_patience_us = 30'000'000;
constexpr std::size_t max_offers = 64;  // what a slot of the hard state has room for
constexpr std::uint64_t max_term_jump = 1ULL << 32;

std::vector<std::string> ids_of(const std::map<std::string, Address>& cluster) {
  std::vector<std::string> ids;
  ids.reserve(cluster.size());
  for (const auto& [id, address] : cluster) ids.push_back(id);
  return ids;
}

std::string joined(const std::vector<std::string>& ids) {
  std::string text;
  for (const std::string& id : ids) text += (text.empty() ? "" : ", ") + id;
  return text;
}

}  // namespace

void Replica::on_link_up(LinkId link, std::optional<std::string> dialed) {
  look_after_links_at_us_ = std::min(look_after_links_at_us_, env_.now_us() + look_every_us);
  links_.on_link_up(link, std::move(dialed));
}

codec::BootstrapState Replica::standing() const {
  codec::BootstrapState standing;
  const storage::HardState& state = hard_state_;
  standing.acted = has_acted();
  // What is not durable yet is not shown.
  if (bootstrap_ticket_ != 0) return standing;
  standing.cluster = state.cluster;
  if (!standing.acted) standing.offers = state.offers;
  return standing;
}

codec::Hello Replica::own_hello() {
  codec::Hello hello;
  hello.server = hard_state_.self;
  hello.address = options_.cluster.at(options_.id);
  hello.ids = ids_of(options_.cluster);
  hello.standing = standing();
  return hello;
}

bool Replica::is_known_id(const std::string& id) {
  return options_.cluster.contains(id) || raft_->configuration().find_id(id) != nullptr;
}

std::optional<codec::Refused> Replica::validate(const codec::Hello& hello, bool called) {
  auto refused = why_refused(hello);
  if (!refused || !is_known_id(hello.server.id)) return refused;
  PeerInfo& known = peer_infos_[hello.server.id];
  // Who is connected is another process than the one that is refused.
  if (links_.find_id(hello.server.id) == nullptr) known.refusal = "it is refused: " + refused->text;
  health_.stir(env_.now_us());
  // An incoming connection proves nothing.
  if (called && refused->why == codec::Refused::Why::cluster) known.alien_us = env_.now_us();
  end_if_refused(refused->text);
  return refused;
}

// Health says of a member that it is gone, and why.
bool Replica::says_refusals_of(const std::string& id) {
  return is_in_cluster() && raft_->configuration().find_id(id) != nullptr &&
         links_.find_id(id) == nullptr;
}

std::optional<codec::Refused> Replica::why_refused(const codec::Hello& hello) {
  using Why = codec::Refused::Why;
  const std::string who = "node " + hello.server.id;
  const std::uint64_t theirs = hello.standing.cluster;
  const std::uint64_t ours = hard_state_.cluster;
  if (has_acted() && hello.standing.acted && theirs != ours)
    return codec::Refused{Why::cluster, who + " belongs to cluster " + cluster_name(theirs) +
                                            ", node " + options_.id + " to cluster " +
                                            cluster_name(ours)};
  if (!has_acted() && !hello.standing.acted && hello.ids != ids_of(options_.cluster))
    return codec::Refused{Why::ids, "the configuration of " + who + " names the nodes " +
                                        joined(hello.ids) + ", that of node " + options_.id + " " +
                                        joined(ids_of(options_.cluster))};
  if (!is_known_id(hello.server.id))
    return codec::Refused{Why::other, who + " is not a member of this cluster"};
  const PeerConnection* link = links_.find_id(hello.server.id);
  if (link != nullptr && link->server.incarnation != hello.server.incarnation) {
    hit(CoveragePoint::old_incarnation_refused);
    return codec::Refused{Why::twice, who +
                                          " is connected already, from another storage "
                                          "directory: was it started twice?"};
  }
  return std::nullopt;
}

bool Replica::is_in_cluster() const {
  return hard_state_.cluster != 0 && bootstrap_ticket_ == 0 &&
         (raft_->log().last_index() > Index{0} || current_offer(hard_state_) == nullptr);
}

bool Replica::is_same_cluster(const PeerConnection& link) const {
  return hard_state_.cluster != 0 && link.standing.cluster == hard_state_.cluster;
}

void Replica::on_peer_up(PeerConnection& link) {
  PeerInfo& known = peer_infos_[link.server.id];
  known.seen_us = env_.now_us();
  known.dial_error.clear();
  known.alien_us.reset();
  known.refusal.clear();
  health_.stir(env_.now_us());
  env_.log(LogLevel::debug, "node " + link.server.id + " is connected");
  attach_peer(link);
  pursue_bootstrap();
  retry_waiting_ = true;
}

void Replica::on_peer_down(PeerConnection& link) {
  PeerInfo& known = peer_infos_[link.server.id];
  known.seen_us = env_.now_us();
  known.dial_error = link.why;
  health_.stir(env_.now_us());
  env_.log(LogLevel::debug, "node " + link.server.id + " is disconnected");
  lose_forwards(link.id);
  lose_reads(link.id);
  detach_peer(link);
  retry_waiting_ = true;
}

void Replica::on_dial_failed(const std::string& id, std::string_view why) {
  PeerInfo& known = peer_infos_[id];
  if (known.dial_error == why) return;
  known.dial_error = std::string(why);
  env_.log(LogLevel::debug, "node " + id + where(id) + ": " + known.dial_error);
}

// The core speaks to a peer once both belong to one cluster and its first configuration is known.
void Replica::attach_peer(PeerConnection& link) {
  if (!is_in_cluster() || !is_same_cluster(link) || in_raft_.contains(link.server)) return;
  in_raft_.insert(link.server);
  drive(raft::PeerUp{link.server, link.start});
}

void Replica::detach_peer(PeerConnection& link) {
  if (in_raft_.erase(link.server) > 0) drive(raft::PeerDown{link.server});
}

void Replica::on_refused(const std::string& id, const codec::Refused& refused) {
  if (!is_known_id(id)) return;
  const std::uint64_t now = env_.now_us();
  PeerInfo& known = peer_infos_[id];
  known.refusal = "it refuses this node: " + refused.text;
  health_.stir(now);
  if (refused.why == codec::Refused::Why::cluster) known.alien_us = now;
  if (refused.why == codec::Refused::Why::twice) {
    if (!known.twice_us || now - *known.twice_us > refusal_counts_us) known.twice_since_us = now;
    known.twice_us = now;
  }
  end_if_refused(refused.text);
}

// Not for one alone: it may be that one which is wrong.
void Replica::end_if_refused(const std::string& why) {
  const auto is_recent = [now = env_.now_us()](const std::optional<std::uint64_t>& at_us) {
    return at_us && now - *at_us <= refusal_counts_us;
  };
  const auto refusing =
      std::count_if(peer_infos_.begin(), peer_infos_.end(), [&](const auto& acquaintance) {
        const PeerInfo& known = acquaintance.second;
        return is_recent(known.alien_us) ||
               (is_recent(known.twice_us) &&
                *known.twice_us - known.twice_since_us >= twice_patience_us);
      });
  if (stopped_ || 2 * static_cast<std::size_t>(refusing) <= options_.cluster.size()) return;
  stopped_ = true;
  env_.log(LogLevel::error, "a majority of the members refuses this node: " + why +
                                ". Look at its configuration and its storage directory");
  env_.stop(6);
}

void Replica::on_peer_message(PeerConnection& link, const codec::PeerMessage& message) {
  peer_infos_[link.server.id].seen_us = env_.now_us();
  std::visit([&](const auto& m) { on_message(link, m); }, message);
}

void Replica::on_message(PeerConnection& link, const raft::Message& message) {
  if (raw(term_of(message)) > raw(raft_->current_term()) + max_term_jump) {
    env_.log(LogLevel::warning, "node " + link.server.id + " speaks of term " +
                                    std::to_string(raw(term_of(message))) +
                                    ", which nobody can have reached; the connection is closed");
    links_.close(link);
    return;
  }
  if (!is_same_cluster(link) || bootstrap_ticket_ != 0) return;
  const raft::Offer* offer = current_offer(hard_state_);
  if (!is_in_cluster() && offer != nullptr) {  // who speaks of terms knows that all have stored it
    BootstrapStep found;
    found.what = BootstrapStep::What::found;
    found.configuration = offer->configuration;
    hit(CoveragePoint::bootstrapped_by_a_message);
    carry_out(found);
  }
  if (!is_in_cluster()) return;
  attach_peer(link);
  const auto* append = std::get_if<raft::AppendEntries>(&message);
  if (append == nullptr || has_space_for(*append)) {
    drive(raft::Received{link.server, &message});
  } else {
    const raft::Message less = without_commands(*append);
    drive(raft::Received{link.server, &less});
  }
}

// A disk that is full, or that hangs while more and more waits for it in memory, takes no entries:
// its node then is a follower that has fallen behind, and goes on voting.
bool Replica::has_space_for(const raft::AppendEntries& append) const {
  if (append.entries.empty()) return true;
  if (storage_->pending_bytes() > max_unsynced_bytes) return false;
  if (storage_->room() != DiskSpace::full) return true;
  std::uint64_t bytes = 0;
  for (const EntryView& entry : append.entries) bytes += raft::cost(entry.body.size());
  return storage_->has_space_for(bytes);
}

// What the log itself needs is small.
raft::Message Replica::without_commands(const raft::AppendEntries& append) {
  hit(CoveragePoint::entries_not_taken);
  raft::AppendEntries less = append;
  const auto first =
      std::find_if(less.entries.begin(), less.entries.end(),
                   [](const EntryView& entry) { return entry.kind == EntryKind::command; });
  less.entries.erase(first, less.entries.end());
  return less;
}

// --- founding --------------------------------------------------------------------------------

std::vector<ConnectedPeer> Replica::connected_peers() const {
  std::vector<ConnectedPeer> all;
  for (const auto& [id, link_id] : links_.by_id()) {
    const PeerConnection* link = links_.find_link(link_id);
    if (link != nullptr) all.push_back({link->server, link->standing});
  }
  return all;
}

void Replica::pursue_bootstrap() {
  if (stopped_ || bootstrap_ticket_ != 0 || (has_acted() && is_in_cluster())) return;
  const std::vector<ConnectedPeer> all = connected_peers();
  const std::uint64_t fresh = env_.random();
  carry_out(
      next_bootstrap_step({hard_state_, options_.cluster, all, fresh, options_.instrumentation}));
}

void Replica::carry_out(const BootstrapStep& step) {
  using What = BootstrapStep::What;
  if (step.what != What::stuck) stuck_.clear();
  switch (step.what) {
    case What::wait:
      return;
    case What::store:
      if (hard_state_.offers.size() >= max_offers) {
        stuck_ = "this directory has held " + std::to_string(max_offers) +
                 " offers to found a cluster, and none came to be: stop this node, empty its "
                 "directory and start it again";
        return;
      }
      abandon_bootstrap();
      hard_state_.offers.push_back(step.offer);
      hard_state_.cluster = step.offer.cluster;
      save_bootstrap();
      return;
    case What::enter:
      hit(CoveragePoint::living_cluster_entered);
      abandon_bootstrap();
      hard_state_.cluster = step.cluster;
      save_bootstrap();
      env_.log(LogLevel::warning, "this directory is new, and cluster " +
                                      cluster_name(step.cluster) +
                                      " lives: it belongs to it from now on");
      return;
    case What::found:
      if (is_in_cluster()) return;  // long since
      drive(raft::Bootstrap{step.configuration});
      env_.log(LogLevel::info,
               "cluster " + cluster_name(hard_state_.cluster) + " of " +
                   std::to_string(step.configuration.members.size()) +
                   (step.configuration.members.size() == 1 ? " member" : " members"));
      for (const ConnectedPeer& other : connected_peers())
        if (PeerConnection* link = links_.find(other.server)) attach_peer(*link);
      return;
    case What::stuck:
      if (stuck_ != step.why) {
        hit(CoveragePoint::bootstrap_stuck);
        env_.log(LogLevel::error, step.why);
      }
      stuck_ = step.why;
      return;
  }
}

// What was founded and never acted in is given up.
void Replica::abandon_bootstrap() {
  if (raft_->log().last_index() == Index{0}) return;
  hit(CoveragePoint::offer_given_up);
  for (const ConnectedPeer& other : connected_peers())
    if (PeerConnection* link = links_.find(other.server)) detach_peer(*link);
  drive(raft::AbandonBootstrap{});
  say_missing_at_us_ = std::min(say_missing_at_us_, env_.now_us() + say_every_us);
}

// A crash can keep a new offer and lose the cut of what was founded before it. Not both as entry 1.
void Replica::drop_abandoned_bootstrap() {
  if (has_acted() || raft_->log().last_index() == Index{0}) return;
  const raft::Offer* offer = current_offer(hard_state_);
  if (offer != nullptr && offer->configuration == raft_->configuration()) return;
  hit(CoveragePoint::truncation_of_offer_lost);
  drive(raft::AbandonBootstrap{});
  save_bootstrap();
}

void Replica::save_bootstrap() { bootstrap_ticket_ = storage_->save(hard_state_); }

void Replica::show_bootstrap_state() {
  const codec::BootstrapState shown = standing();
  for (const ConnectedPeer& other : connected_peers()) {
    PeerConnection* link = links_.find(other.server);
    if (link == nullptr) continue;
    links_.send(*link, Priority::control, shown);
    attach_peer(*link);
  }
}

void Replica::on_message(PeerConnection& link, const codec::BootstrapState& standing) {
  link.standing = standing;
  link.standing.asks = false;
  if (standing.asks) links_.send(link, Priority::control, this->standing());
  if (!is_same_cluster(link)) {
    detach_peer(link);
    look_after_links_at_us_ = std::min(look_after_links_at_us_, env_.now_us() + look_every_us);
  }
  attach_peer(link);
  pursue_bootstrap();
}

// A hello that does not come ends its connection. What a peer shows may have been lost on the way:
// whoever does not see the other in its own cluster asks again.
void Replica::look_after_links() {
  look_after_links_at_us_ = env_.now_us() + look_every_us;
  bool waiting = links_.close_silent(look_every_us) || !is_in_cluster();
  codec::BootstrapState shown = standing();
  shown.asks = true;
  for (const ConnectedPeer& other : connected_peers()) {
    PeerConnection* link = links_.find(other.server);
    if (link == nullptr || (is_in_cluster() && is_same_cluster(*link))) continue;
    waiting = true;
    links_.send(*link, Priority::control, shown);
  }
  if (!waiting) look_after_links_at_us_ = UINT64_MAX;
}

void Replica::say_who_is_missing() {
  say_missing_at_us_ = UINT64_MAX;
  const bool observer = is_in_cluster() && !raft_->configuration().votes(hard_state_.self);
  if (is_in_cluster() && !observer) return;
  say_missing_at_us_ = env_.now_us() + say_again_us;
  if (!observer)
    env_.log(LogLevel::warning, why_no_leader());
  else if (const std::string text = notice(); !text.empty() && !bootstrap_said_)
    env_.log(LogLevel::warning, text);
  bootstrap_said_ = observer;
}

}  // namespace zatt::node
