// SPDX-License-Identifier: AGPL-3.0-or-later
// What a person is told: status, and why nobody leads.
#include <utility>

#include "node/opening.h"
#include "node/replica.h"

namespace zatt::node {
namespace {

void add(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
    case Role::learner:
      return "learner";
  }
  return {};
}

}  // namespace

Role Replica::role() const {
  if (raft_->is_leader()) return Role::leader;
  if (is_in_cluster() && !raft_->configuration().votes(hard_state_.self)) return Role::learner;
  return std::holds_alternative<raft::Follower>(raft_->role()) ? Role::follower : Role::candidate;
}

NodeState Replica::state() const {
  const auto leader = raft_->leader();
  return {role(), raft_->current_term(), leader ? leader->id : std::string(), raft_->commit_index(),
          applied_};
}

// " at HOST:PORT (what is known of it)".
std::string Replica::where(const std::string& id) const {
  std::string text;
  if (const auto it = options_.cluster.find(id); it != options_.cluster.end())
    text = " at " + to_string(it->second);
  const auto known = acquaintances_.find(id);
  if (known != acquaintances_.end() && !known->second.refusal.empty())
    return text + " (" + known->second.refusal + ")";
  if (known == acquaintances_.end() || known->second.seen_us == 0)
    text += " (never seen";
  else
    text += " (last seen " + std::to_string((env_.now_us() - known->second.seen_us) / 1'000'000) +
            " s ago";
  // That nobody listens where nobody was ever seen goes without saying.
  const bool news =
      known != acquaintances_.end() && !known->second.dial_error.empty() &&
      (known->second.seen_us != 0 || known->second.dial_error != "nothing listens there");
  if (news) text += ": " + known->second.dial_error;
  return text + ")";
}

std::string Replica::member_notice(const Server& member) const {
  if (member == hard_state_.self) return {};
  const Link* link = links_.find_id(member.id);
  const bool other =
      member.id == hard_state_.self.id || (link != nullptr && link->server != member);
  return other ? "its storage directory was emptied: it receives the log, but neither votes nor "
                 "counts"
               : "";
}

std::string Replica::notice() const {
  const raft::Configuration& configuration = raft_->configuration();
  if (!stuck_.empty()) return stuck_;
  if (!is_in_cluster()) return why_no_leader();
  if (!configuration.votes(hard_state_.self))
    return "this storage directory is new, and the cluster knows node " + options_.id +
           " by another: it receives the log, but neither votes nor counts";
  if (raft_->is_below_floor())
    return "the log was damaged and is not repaired yet: this node does not lead, and votes only "
           "for logs that hold what it had promised";
  if (room_ != Room::plenty)
    return "the disk of " + options_.storage +
           " is full: make room there; until then writes that need more room are refused";
  // An election that passes before health has looked is worth no word.
  if (!raft_->leader() && (health_.says_no_leader() || !picture().majority)) return why_no_leader();
  return {};
}

Picture Replica::picture() const {
  Picture now;
  std::size_t voters = 0, present = 0;
  const auto* leading = std::get_if<raft::Leader>(&raft_->role());
  for (const raft::Member& member : raft_->configuration().members) {
    const std::string& id = member.server.id;
    const bool here = member.server == hard_state_.self || links_.find(member.server) != nullptr;
    if (member.voter) ++voters;
    if (member.voter && here) ++present;
    if (member.voter && !here) add(now.missing, "node " + id + where(id));
    if (id == options_.id) continue;
    PeerHealth& peer = now.peers[id];
    peer.connected = links_.find_id(id) != nullptr;
    if (const auto it = acquaintances_.find(id); it != acquaintances_.end() && !peer.connected)
      peer.why = it->second.refusal.empty() ? it->second.dial_error : it->second.refusal;
    if (leading == nullptr) continue;
    if (const auto it = leading->progress.find(member.server); it != leading->progress.end())
      peer.behind = raw(raft_->log().last_index()) - raw(it->second.match_index);
  }
  now.majority = 2 * present > voters;
  now.led = raft_->leader().has_value();
  now.term = raw(raft_->current_term());
  now.disk_slow = is_disk_slow();
  return now;
}

bool Replica::is_anyone_behind() const {
  const auto* leading = std::get_if<raft::Leader>(&raft_->role());
  if (leading == nullptr) return false;
  const std::uint64_t last = raw(raft_->log().last_index());
  for (const auto& [server, progress] : leading->progress)
    if (last - raw(progress.match_index) > Health::far_behind && progress.connected) return true;
  return false;
}

// Before there is a cluster, who is missing is said by founding.
void Replica::say_changes() {
  Picture now = picture();
  if (!is_in_cluster() || raft_->configuration().empty()) {
    now.peers.clear();
    now.majority = now.led = true;
  }
  for (const HealthEvent& event : health_.look(now, env_.now_us()))
    env_.log(event.level, event.text);
}

bool Replica::is_disk_slow() const {
  return disk_was_slow_ ||
         (disk_busy_ && env_.now_us() - disk_busy_since_us_ >= Health::slow_disk_us);
}

// When the batch that is with the disk will have taken too long.
std::uint64_t Replica::disk_slow_at_us() const {
  return disk_busy_ && !health_.says_slow() ? disk_busy_since_us_ + Health::slow_disk_us
                                            : UINT64_MAX;
}

std::size_t Replica::backlog() const {
  return clients_.pending() + waiters_.size() + asked_core_.size() + confirmed_.size() +
         held_back_.size() + gathered_.size();
}

std::string Replica::why_no_leader() const {
  if (!stuck_.empty()) return "the cluster is not created yet: " + stuck_;
  if (!is_in_cluster() || raft_->configuration().empty()) {
    std::string missing;
    for (const auto& [id, address] : options_.cluster)
      if (id != options_.id && links_.find_id(id) == nullptr)
        add(missing, "node " + id + where(id));
    if (is_in_cluster())
      return "this storage directory is new and waits for a leader of cluster " +
             cluster_name(hard_state_.cluster) + ", and nobody leads it" +
             (missing.empty() ? "" : "; not connected: " + missing);
    return missing.empty() ? "the cluster is not created yet: its members are agreeing on it"
                           : "the cluster is not created yet: waiting for " + missing;
  }
  const raft::Configuration& configuration = raft_->configuration();
  std::string wiped, missing;
  std::size_t voters = 0, wiped_voters = 0, present = 0;
  for (const raft::Member& member : configuration.members) {
    if (!member.voter) continue;
    ++voters;
    if (!member_notice(member.server).empty()) {
      ++wiped_voters;
      add(wiped, member.server.id);
    } else if (member.server == hard_state_.self || links_.find(member.server) != nullptr) {
      ++present;
    } else {
      add(missing, "node " + member.server.id + where(member.server.id));
    }
  }
  if (voters > 0 && 2 * wiped_voters >= voters)
    return "nobody can lead: the storage directories of a majority of the members were emptied "
           "(nodes " +
           wiped +
           "), and with them what only a majority may decide. Put the old "
           "directories back, if they still exist";
  if (voters > 0 && 2 * present <= voters)
    return "no majority is connected: " + missing +
           (wiped.empty() ? "" : "; the storage directories of nodes " + wiped + " were emptied");
  return "the members are electing a leader";
}

void Replica::finish_status(Pending& pending) {
  codec::NodeStatus status;
  status.node = options_.id;
  status.role = name_of(role());
  status.term = raft_->current_term();
  if (const auto leader = raft_->leader()) status.leader = leader->id;
  status.commit = raft_->commit_index();
  status.applied = applied_;
  status.last = raft_->log().last_index();
  const raft::Configuration& configuration = raft_->configuration();
  const auto* leading = std::get_if<raft::Leader>(&raft_->role());
  for (const raft::Member& member : configuration.members) {
    codec::MemberStatus m;
    m.id = member.server.id;
    m.address = member.address;
    m.voter = member.voter;
    m.connected = member.server == hard_state_.self || links_.find(member.server) != nullptr;
    if (leading != nullptr) {
      const auto it = leading->progress.find(member.server);
      m.match_index =
          raw(it == leading->progress.end() ? raft_->durable_index() : it->second.match_index);
    }
    m.notice = member_notice(member.server);
    status.members.push_back(std::move(m));
  }
  if (configuration.empty())
    for (const auto& [id, address] : options_.cluster)
      status.members.push_back({id,
                                address,
                                false,
                                id == options_.id || links_.find_id(id) != nullptr,
                                std::nullopt,
                                {}});
  status.keys = store_ == nullptr ? 0 : store_->size();
  status.version = options_.version;
  status.uptime_s = (env_.now_us() - started_us_) / 1'000'000;
  if (hard_state_.cluster != 0) status.cluster = cluster_name(hard_state_.cluster);
  status.disk_is_full = room_ != Room::plenty;
  status.notice = notice();
  std::string line;
  codec::write_status(line, pending.request.id, status);
  clients_.finish(pending, std::move(line));
}

}  // namespace zatt::node
