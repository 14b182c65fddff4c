// SPDX-License-Identifier: AGPL-3.0-or-later
// The other members: who may connect, who is shown to the core, and what each message is for.
#include <algorithm>

#include "base/text.h"
#include "node/node.h"
#include "node/recovery.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t look_every_us = 1'000'000;
constexpr std::uint64_t max_term_jump = 1ULL << 32;

}  // namespace

// --- who may connect -----------------------------------------------------------------------------

void Node::on_link_up(LinkId link, std::optional<std::string> dialed) {
  if (is_closing()) return;
  look_soon();
  connections_.on_link_up(link, std::move(dialed));
}

void Node::on_frame(LinkId link, std::string_view frame) {
  if (!is_closing()) connections_.on_frame(link, frame);
}

void Node::on_link_down(LinkId link, std::string_view why) { connections_.on_link_down(link, why); }

void Node::on_dial_failed(const std::string& id, std::string_view why) {
  if (peers_.on_dial_failed(id, why))
    env_.log(LogLevel::debug, "node " + id + peers_.where(id) + ": " + std::string(why));
}

bool Node::is_known_id(const std::string& id) const {
  return options_.cluster.contains(id) || raft_->configuration().find_id(id) != nullptr;
}

std::optional<codec::Refused> Node::validate(const codec::Hello& hello, bool called) {
  auto refused = why_refused(hello);
  const std::string& id = hello.server.id;
  if (!refused || !is_known_id(id)) return refused;
  peers_.refuse(id, *refused, called, connections_.find_id(id) != nullptr);
  status_.stir();
  stop_if_refused(refused->text);
  return refused;
}

std::optional<codec::Refused> Node::why_refused(const codec::Hello& hello) const {
  using Why = codec::Refused::Why;
  const std::string who = "node " + hello.server.id;
  const codec::Hello own = bootstrapper_.hello();
  const bool both_acted = own.bootstrap_state.acted && hello.bootstrap_state.acted;
  const ClusterId theirs = hello.bootstrap_state.cluster;
  const ClusterId ours = persister_.hard_state().cluster;
  if (both_acted && theirs != ours)
    return codec::Refused{Why::cluster, who + " belongs to cluster " + cluster_name(theirs) +
                                            ", node " + options_.id + " to cluster " +
                                            cluster_name(ours)};
  if (!own.bootstrap_state.acted && !hello.bootstrap_state.acted && hello.ids != own.ids)
    return codec::Refused{Why::ids, "the configuration of " + who + " names the nodes " +
                                        join(hello.ids) + ", that of node " + options_.id + " " +
                                        join(own.ids)};
  if (!is_known_id(hello.server.id))
    return codec::Refused{Why::other, who + " is not a member of this cluster"};
  const PeerConnection* peer = connections_.find_id(hello.server.id);
  if (peer == nullptr || peer->server.incarnation == hello.server.incarnation) return std::nullopt;
  hit(options_.instrumentation, CoveragePoint::old_incarnation_refused);
  return codec::Refused{Why::twice, who +
                                        " is connected already, from another storage "
                                        "directory: was it started twice?"};
}

void Node::on_refused(const std::string& id, const codec::Refused& refused) {
  if (!is_known_id(id)) return;
  peers_.on_refused(id, refused);
  status_.stir();
  stop_if_refused(refused.text);
}

void Node::stop_if_refused(const std::string& why) {
  if (phase_ != Phase::stopped && peers_.is_refused_by_majority())
    stop("a majority of the members refuses this node: " + why +
             ". Look at its configuration and its storage directory",
         StopReason::refused);
}

// Health says of a member that it is gone, and why.
bool Node::says_refusals_of(const std::string& id) {
  return bootstrapper_.is_in_cluster() && raft_->configuration().find_id(id) != nullptr &&
         connections_.find_id(id) == nullptr;
}

// --- who is there --------------------------------------------------------------------------------

void Node::on_peer_up(PeerConnection& peer) {
  peers_.on_up(peer.server.id);
  status_.stir();
  env_.log(LogLevel::debug, "node " + peer.server.id + " is connected");
  attach(peer);
  carry_out(bootstrapper_.pursue());
  clients_.wake_waiting();
}

void Node::on_peer_down(PeerConnection& peer) {
  peers_.on_down(peer.server.id, peer.why);
  status_.stir();
  env_.log(LogLevel::debug, "node " + peer.server.id + " is disconnected");
  writes_.lose(peer.id);
  reads_.lose(peer.id);
  detach(peer.server);
  clients_.wake_waiting();
}

void Node::attach(const PeerConnection& peer) {
  if (!bootstrapper_.is_in_cluster() || !bootstrapper_.is_same_cluster(peer)) return;
  if (peers_.attach(peer.server)) post(raft::PeerUp{peer.server, peer.boot_id});
}

void Node::detach(const MemberId& member) {
  if (peers_.detach(member)) post(raft::PeerDown{member});
}

void Node::carry_out(const Bootstrapper::Actions& actions) {
  if (phase_ == Phase::stopped) return;
  if (actions.abandon) {
    hit(options_.instrumentation, CoveragePoint::offer_given_up);
    for (const MemberId& member : peers_.attached()) detach(member);
    post(raft::AbandonBootstrap{});
    status_.expect_cluster();
  }
  if (actions.bootstrap) {
    const std::size_t members = actions.bootstrap->members.size();
    post(raft::Bootstrap{*actions.bootstrap});
    env_.log(LogLevel::info, "cluster " + cluster_name(persister_.hard_state().cluster) + " of " +
                                 std::to_string(members) + (members == 1 ? " member" : " members"));
    for (const PeerConnection* peer : bootstrapper_.connected()) attach(*peer);
  }
  if (actions.save) bootstrapper_.save(raft_->take_write_number());
}

void Node::show_bootstrap_state() {
  for (PeerConnection* peer : bootstrapper_.connected()) {
    bootstrapper_.show_to(*peer);
    attach(*peer);
  }
}

// A hello that does not come ends its connection.
void Node::look_after_connections() {
  const bool silent = connections_.close_silent(look_every_us);
  const bool strangers = bootstrapper_.ask_again();
  const bool again = silent || strangers || !bootstrapper_.is_in_cluster();
  look_after_connections_at_us_ = again ? env_.now_us() + look_every_us : never_us;
}

void Node::look_soon() {
  look_after_connections_at_us_ =
      std::min(look_after_connections_at_us_, env_.now_us() + look_every_us);
}

// --- messages ------------------------------------------------------------------------------------

void Node::on_peer_message(PeerConnection& peer, const codec::PeerMessage& message) {
  peers_.on_message(peer.server.id);
  std::visit([&](const auto& m) { handle(peer, m); }, message);
}

// PeerConnections has seen to these.
void Node::handle(PeerConnection&, const codec::Hello&) {}
void Node::handle(PeerConnection&, const codec::Refused&) {}

void Node::handle(PeerConnection& peer, const codec::BootstrapState& state) {
  peer.bootstrap_state = state;
  peer.bootstrap_state.asks = false;
  if (state.asks) bootstrapper_.show_to(peer);
  if (!bootstrapper_.is_same_cluster(peer)) {
    detach(peer.server);
    look_soon();
  }
  attach(peer);
  carry_out(bootstrapper_.pursue());
}

void Node::handle(PeerConnection& peer, const codec::Forward& forward) {
  writes_.on_forward(peer, forward);
}

void Node::handle(PeerConnection& peer, const codec::ForwardReply& reply) {
  const Forwards::Answered answered = writes_.on_forward_reply(peer, reply);
  if (answered.rejected) dispatcher_.reject(*answered.rejected);
  if (answered.commit) post(*answered.commit);
}

void Node::handle(PeerConnection& peer, const codec::ReadIndex& request) {
  reads_.on_read_index(peer, request);
}

void Node::handle(PeerConnection& peer, const codec::ReadIndexReply& reply) {
  const ReadTracker::Answered answered = reads_.on_read_index_reply(peer, reply);
  if (answered.rejected) dispatcher_.reject(*answered.rejected);
  if (answered.commit) post(*answered.commit);
}

void Node::handle(PeerConnection& peer, const raft::Message& message) {
  if (raw(term_of(message)) > raw(raft_->current_term()) + max_term_jump)
    return connections_.close_for(peer, "it speaks of term " +
                                            std::to_string(raw(term_of(message))) +
                                            ", which nobody can have reached");
  if (!bootstrapper_.is_same_cluster(peer) || !persister_.is_bootstrap_durable()) return;
  if (const auto claim = raft_->contradiction(peer.server, message); !claim.empty())
    return connections_.close_for(peer,
                                  "it says that it " + std::string(claim) + ", which cannot be");
  carry_out(bootstrapper_.on_raft_message());
  if (!bootstrapper_.is_in_cluster()) return;
  attach(peer);
  const auto* append = std::get_if<raft::AppendEntries>(&message);
  if (append == nullptr || persister_.has_space_for(*append)) {
    post(raft::Received{peer.server, &message});
    return;
  }
  // A node whose disk takes no commands is a follower that has fallen behind, and goes on voting.
  // What the log itself needs is small.
  hit(options_.instrumentation, CoveragePoint::entries_not_taken);
  raft::AppendEntries less = *append;
  const auto first =
      std::find_if(less.entries.begin(), less.entries.end(),
                   [](const EntryView& entry) { return entry.kind == EntryKind::command; });
  less.entries.erase(first, less.entries.end());
  const raft::Message without_commands = std::move(less);
  post(raft::Received{peer.server, &without_commands});
}

}  // namespace zatt::node
