// SPDX-License-Identifier: AGPL-3.0-or-later
// What a person is told: status, and why nobody leads.
#include <algorithm>
#include <set>
#include <utility>

#include "node/recovery.h"
#include "node/replica.h"

namespace zatt::node {
namespace {

void add(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

// Nothing while that is not known: a leader has just begun, or the follower, or the link is down.
std::optional<std::uint64_t> how_far_behind(const raft::Progress& progress, Index last) {
  if (!progress.connected || progress.match_index == Index{0}) return std::nullopt;
  return raw(last) - std::min(raw(last), raw(progress.match_index));
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
  const auto known = peer_infos_.find(id);
  if (known != peer_infos_.end() && !known->second.refusal.empty())
    return text + " (" + known->second.refusal + ")";
  if (known == peer_infos_.end() || known->second.seen_us == 0)
    text += " (never seen";
  else
    text += " (last seen " + std::to_string((env_.now_us() - known->second.seen_us) / 1'000'000) +
            " s ago";
  // That nobody listens where nobody was ever seen goes without saying.
  const bool news =
      known != peer_infos_.end() && !known->second.dial_error.empty() &&
      (known->second.seen_us != 0 || known->second.dial_error != "nothing listens there");
  if (news) text += ": " + known->second.dial_error;
  return text + ")";
}

std::string Replica::member_notice(const MemberId& member) const {
  if (member == hard_state_.self) return {};
  const PeerConnection* link = links_.find_id(member.id);
  const bool other =
      member.id == hard_state_.self.id || (link != nullptr && link->server != member);
  return other ? "its storage directory was emptied: it receives the log, but neither votes nor "
                 "counts"
               : "";
}

// All that a person should know or do; empty where all is well.
std::string Replica::notice() const {
  if (!stuck_.empty()) return stuck_;
  if (!is_in_cluster()) return why_no_leader();
  std::string all;
  const auto tell = [&all](const std::string& text) {
    if (!text.empty()) all += (all.empty() ? "" : "; ") + text;
  };
  if (!raft_->configuration().votes(hard_state_.self))
    tell("this storage directory is new, and the cluster knows node " + options_.id +
         " by another: it receives the log, but neither votes nor counts; if the old directory "
         "still exists, put that back, and never an older copy of it");
  if (raft_->is_below_floor())
    tell(
        "the log was damaged and is not repaired yet: this node does not lead, and votes only "
        "for logs that hold what it had promised, until the others have repaired it");
  if (room_ != DiskSpace::enough)
    tell(no_room() + "; make room there: until then writes that need more room are refused");
  tell(what_the_disk_owes());
  // An election that passes before health has looked is worth no word.
  if (!raft_->leader()) {
    const std::string why = why_no_leader();
    if (why.starts_with("no majority"))
      tell(why + ": start who is missing, or mend the network between");
    else if (!picture().majority)
      tell(why);
    else if (health_.says_no_leader())
      tell(why + "; if that lasts, look at their logs and the network between them");
  }
  tell(who_is_far_behind());
  tell(stored_members_differ());
  return all;
}

// While a batch hangs, and not after.
std::string Replica::what_the_disk_owes() const {
  const std::uint64_t waiting_us = disk_busy_ ? env_.now_us() - disk_busy_since_us_ : 0;
  if (waiting_us < Health::slow_disk_us) return {};
  return "the disk of " + options_.storage + " has been busy with one write for " +
         std::to_string(waiting_us / 1'000'000) +
         " s, and all writes here wait for it: look at the disk and at what else uses it";
}

std::string Replica::who_is_far_behind() const {
  if (!raft_->is_leader()) return {};
  std::string who;
  for (const auto& [id, peer] : picture().peers)
    if (health_.says_behind(id) && peer.behind)
      add(who, "node " + id + " is far behind, by " + std::to_string(*peer.behind) + " entries");
  return who.empty() ? "" : who + ": look at its disk and the network to it";
}

// The members are those of the cluster's own list, whatever the configuration says.
std::string Replica::stored_members_differ() const {
  const raft::Configuration& stored = raft_->configuration();
  if (!is_in_cluster() || stored.members.size() < 2) return {};
  std::set<std::string> here, there;
  for (const auto& [id, address] : options_.cluster) here.insert(id);
  for (const raft::Member& member : stored.members) there.insert(member.server.id);
  const auto list = [](const std::set<std::string>& ids) {
    std::string text;
    for (const std::string& id : ids) add(text, id);
    return text;
  };
  if (here != there)
    return "the configuration of this node names the nodes " + list(here) + ", the cluster has " +
           list(there) +
           ": the cluster's list counts; write it into the configuration and start this node again";
  std::string moved;
  for (const raft::Member& member : stored.members) {
    const Address& own = options_.cluster.at(member.server.id);
    if (own != member.address)
      add(moved, "node " + member.server.id + " at " + to_string(own) + ", the cluster at " +
                     to_string(member.address));
  }
  if (moved.empty()) return {};
  return "the configuration of this node has " + moved +
         ": this node calls the former, clients are sent to the latter; make the configuration "
         "name the latter and start this node again, or, where a node has moved for good, give "
         "clients its new address";
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
    if (const auto it = peer_infos_.find(id); it != peer_infos_.end() && !peer.connected) {
      peer.why = it->second.dial_error;
      peer.refusal = it->second.refusal;
    }
    if (leading == nullptr) continue;
    if (const auto it = leading->progress.find(member.server); it != leading->progress.end())
      peer.behind = how_far_behind(it->second, raft_->log().last_index());
  }
  now.majority = 2 * present > voters;
  now.led = raft_->leader().has_value();
  now.term = raw(raft_->current_term());
  now.disk_slow = is_disk_slow();
  now.room = storage_->room();
  now.storage = options_.storage;
  if (now.room != DiskSpace::enough) now.no_room = no_room();
  return now;
}

bool Replica::is_anyone_behind() const {
  const auto* leading = std::get_if<raft::Leader>(&raft_->role());
  if (leading == nullptr) return false;
  const Index last = raft_->log().last_index();
  return std::any_of(leading->progress.begin(), leading->progress.end(), [&](const auto& peer) {
    return how_far_behind(peer.second, last) > Health::far_behind;
  });
}

// Before there is a cluster, who is missing is said by founding.
void Replica::say_changes() {
  Picture now = picture();
  if (!is_in_cluster() || raft_->configuration().empty()) {
    now.peers.clear();
    now.majority = now.led = true;
  }
  if (const std::string text = stored_members_differ(); text != difference_said_) {
    if (!text.empty()) env_.log(LogLevel::warning, text);
    difference_said_ = text;
  }
  for (const HealthEvent& event : health_.look(now, env_.now_us()))
    env_.log(event.level, event.text);
}

bool Replica::is_disk_slow() const {
  return env_.now_us() < disk_slow_until_us_ ||
         (disk_busy_ && env_.now_us() - disk_busy_since_us_ >= Health::slow_disk_us);
}

// When the batch that is with the disk will have taken too long, or the disk be well again.
std::uint64_t Replica::look_at_disk_at_us() const {
  const std::uint64_t too_long_us =
      disk_busy_ ? disk_busy_since_us_ + Health::slow_disk_us : UINT64_MAX;
  if (!health_.says_slow()) return too_long_us;
  return env_.now_us() < too_long_us ? disk_slow_until_us_ : UINT64_MAX;
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
           (wiped.empty() ? "" : "; emptied storage directories do not count: node " + wiped);
  return "the members are electing a leader";
}

void Replica::finish_status(PendingRequest& pending) {
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
    // A lone node has nobody who would still call it where it was.
    m.address =
        configuration.members.size() == 1 ? options_.cluster.at(options_.id) : member.address;
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
  status.disk_is_full = room_ != DiskSpace::enough;
  status.notice = notice();
  std::string line;
  codec::write_status(line, pending.request.id, status);
  clients_.finish(pending, std::move(line));
}

}  // namespace zatt::node
