// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/status.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "node/recovery.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t first_say_us = 1'000'000;
constexpr std::uint64_t say_every_us = 30'000'000;
constexpr std::uint64_t say_again_us = Health::repeat_us;

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

void StatusReporter::start() {
  started_us_ = p_.env.now_us();
  was_below_floor_ = p_.raft.is_below_floor();
  say_missing_at_us_ = started_us_ + first_say_us;
}

Role StatusReporter::role() const {
  if (p_.raft.is_leader()) return Role::leader;
  if (p_.bootstrapper.is_in_cluster() && !p_.raft.configuration().votes(p_.raft.self()))
    return Role::learner;
  return std::holds_alternative<raft::Follower>(p_.raft.role()) ? Role::follower : Role::candidate;
}

NodeState StatusReporter::state(Index last_applied) const {
  const auto leader = p_.raft.leader();
  return {role(), p_.raft.current_term(), leader ? leader->id : std::string(),
          p_.raft.commit_index(), last_applied};
}

bool StatusReporter::is_here(const MemberId& member) const {
  return member == p_.raft.self() || p_.connections.find(member) != nullptr;
}

// --- notices -------------------------------------------------------------------------------------

std::string StatusReporter::member_notice(const MemberId& member) const {
  const MemberId& self = p_.raft.self();
  if (member == self) return {};
  const PeerConnection* peer = p_.connections.find_id(member.id);
  const bool other = member.id == self.id || (peer != nullptr && peer->server != member);
  return other ? "its storage directory was emptied: it receives the log, but neither votes nor "
                 "counts"
               : "";
}

std::string StatusReporter::notice() const {
  if (!p_.bootstrapper.stuck().empty()) return p_.bootstrapper.stuck();
  if (!p_.bootstrapper.is_in_cluster()) return why_no_leader();
  std::string all;
  for (const std::string& text : {membership_notice(), room_notice(), disk_notice(),
                                  leader_notice(), who_is_far_behind(), stored_members_differ()})
    if (!text.empty()) all += (all.empty() ? "" : "; ") + text;
  return all;
}

std::string StatusReporter::membership_notice() const {
  std::string text;
  if (!p_.raft.configuration().votes(p_.raft.self()))
    text = "this storage directory is new, and the cluster knows node " + p_.options.id +
           " by another: it receives the log, but neither votes nor counts; if the old directory "
           "still exists, put that back, and never an older copy of it";
  if (p_.raft.is_below_floor())
    text += std::string(text.empty() ? "" : "; ") +
            "the log was damaged and is not repaired yet: this node does not lead, and votes only "
            "for logs that hold what it had promised, until the others have repaired it";
  return text;
}

std::string StatusReporter::room_notice() const {
  if (p_.persister.told_room() == DiskSpace::enough) return {};
  return p_.persister.no_room() +
         "; make room there: until then writes that need more room are refused";
}

// While a batch hangs, and not after.
std::string StatusReporter::disk_notice() const {
  const std::uint64_t busy_us = p_.persister.busy_us();
  if (busy_us < Health::slow_disk_us) return {};
  return "the disk of " + p_.options.storage + " has been busy with one write for " +
         std::to_string(busy_us / 1'000'000) +
         " s, and all writes here wait for it: look at the disk and at what else uses it";
}

// An election that passes before health has looked is worth no word.
std::string StatusReporter::leader_notice() const {
  if (p_.raft.leader()) return {};
  const std::string why = why_no_leader();
  if (why.starts_with("no majority"))
    return why + ": start who is missing, or mend the network between";
  if (!picture().majority) return why;
  if (!health_.says_no_leader()) return {};
  return why + "; if that lasts, look at their logs and the network between them";
}

std::string StatusReporter::who_is_far_behind() const {
  if (!p_.raft.is_leader()) return {};
  std::string who;
  for (const auto& [id, peer] : picture().peers)
    if (health_.says_behind(id) && peer.behind)
      add(who, "node " + id + " is far behind, by " + std::to_string(*peer.behind) + " entries");
  return who.empty() ? "" : who + ": look at its disk and the network to it";
}

// The members are those of the cluster's own list, whatever the configuration says.
std::string StatusReporter::stored_members_differ() const {
  const raft::Configuration& stored = p_.raft.configuration();
  if (!p_.bootstrapper.is_in_cluster() || stored.members.size() < 2) return {};
  std::set<std::string> here, there;
  for (const auto& [id, address] : p_.options.cluster) here.insert(id);
  for (const raft::Member& member : stored.members) there.insert(member.server.id);
  if (here != there)
    return "the configuration of this node names the nodes " + join(here) + ", the cluster has " +
           join(there) +
           ": the cluster's list counts; write it into the configuration and start this node again";
  std::string moved;
  for (const raft::Member& member : stored.members) {
    const Address& own = p_.options.cluster.at(member.server.id);
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

std::string StatusReporter::why_no_cluster() const {
  std::string missing;
  for (const auto& [id, address] : p_.options.cluster)
    if (id != p_.options.id && p_.connections.find_id(id) == nullptr)
      add(missing, "node " + id + p_.peers.where(id));
  if (p_.bootstrapper.is_in_cluster())
    return "this storage directory is new and waits for a leader of cluster " +
           cluster_name(p_.persister.hard_state().cluster) + ", and nobody leads it" +
           (missing.empty() ? "" : "; not connected: " + missing);
  return missing.empty() ? "the cluster is not created yet: its members are agreeing on it"
                         : "the cluster is not created yet: waiting for " + missing;
}

std::string StatusReporter::why_no_leader() const {
  if (!p_.bootstrapper.stuck().empty())
    return "the cluster is not created yet: " + p_.bootstrapper.stuck();
  const raft::Configuration& configuration = p_.raft.configuration();
  if (!p_.bootstrapper.is_in_cluster() || configuration.empty()) return why_no_cluster();
  std::string wiped, missing;
  std::size_t voters = 0, wiped_voters = 0, present = 0;
  for (const raft::Member& member : configuration.members) {
    if (!member.voter) continue;
    ++voters;
    if (!member_notice(member.server).empty()) {
      ++wiped_voters;
      add(wiped, member.server.id);
    } else if (is_here(member.server)) {
      ++present;
    } else {
      add(missing, "node " + member.server.id + p_.peers.where(member.server.id));
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

// --- health --------------------------------------------------------------------------------------

PeerHealth StatusReporter::peer_health(const MemberId& member) const {
  PeerHealth health;
  health.connected = p_.connections.find_id(member.id) != nullptr;
  if (const PeerTable::Peer* peer = p_.peers.find(member.id); peer && !health.connected) {
    health.why = peer->dial_error;
    health.refusal = peer->refusal;
  }
  if (const auto* leading = std::get_if<raft::Leader>(&p_.raft.role()))
    if (const auto it = leading->progress.find(member); it != leading->progress.end())
      health.behind = how_far_behind(it->second, p_.raft.log().last_index());
  return health;
}

Picture StatusReporter::picture() const {
  Picture now;
  std::size_t voters = 0, present = 0;
  for (const raft::Member& member : p_.raft.configuration().members) {
    const std::string& id = member.server.id;
    const bool here = is_here(member.server);
    if (member.voter) ++voters;
    if (member.voter && here) ++present;
    if (member.voter && !here) add(now.missing, "node " + id + p_.peers.where(id));
    if (id != p_.options.id) now.peers[id] = peer_health(member.server);
  }
  now.majority = 2 * present > voters;
  now.led = p_.raft.leader().has_value();
  now.term = raw(p_.raft.current_term());
  now.disk_slow = p_.persister.is_slow();
  now.room = p_.persister.told_room();  // as steps change it, not within a try
  now.storage = p_.options.storage;
  if (now.room != DiskSpace::enough) now.no_room = p_.persister.no_room();
  return now;
}

bool StatusReporter::is_anyone_behind() const {
  const auto* leading = std::get_if<raft::Leader>(&p_.raft.role());
  if (leading == nullptr) return false;
  const Index last = p_.raft.log().last_index();
  return std::any_of(leading->progress.begin(), leading->progress.end(), [&](const auto& peer) {
    return how_far_behind(peer.second, last) > Health::far_behind;
  });
}

// --- the log -------------------------------------------------------------------------------------

bool StatusReporter::note_changes() {
  if (is_anyone_behind()) stir();
  const bool changed = p_.raft.leader() != known_leader_ || p_.raft.current_term() != known_term_;
  if (changed) announce_leader();
  if (was_below_floor_ && !p_.raft.is_below_floor()) {
    was_below_floor_ = false;
    p_.env.log(LogLevel::info, p_.options.storage + ": the log is repaired");
  }
  return changed;
}

void StatusReporter::announce_leader() {
  const std::optional<MemberId> leader = p_.raft.leader();
  const std::string term = std::to_string(raw(p_.raft.current_term()));
  if (leader)
    p_.env.log(LogLevel::info,
               (leader->id == p_.options.id ? "this node leads" : "node " + leader->id + " leads") +
                   ", term " + term);
  else if (known_leader_)
    p_.env.log(LogLevel::debug, "no leader is known, term " + term);
  stir();
  known_leader_ = leader;
  known_term_ = p_.raft.current_term();
}

void StatusReporter::expect_cluster() {
  say_missing_at_us_ = std::min(say_missing_at_us_, p_.env.now_us() + say_every_us);
}

void StatusReporter::on_time() {
  const std::uint64_t now = p_.env.now_us();
  if (now >= say_missing_at_us_) say_who_is_missing();
  if (now >= std::min(health_.wake_at_us(), p_.persister.look_at_us(health_.says_slow())))
    say_changes();
}

std::uint64_t StatusReporter::wake_at_us() const {
  return std::min(
      {say_missing_at_us_, health_.wake_at_us(), p_.persister.look_at_us(health_.says_slow())});
}

// Before there is a cluster, who is missing is said by say_who_is_missing.
void StatusReporter::say_changes() {
  Picture now = picture();
  if (!p_.bootstrapper.is_in_cluster() || p_.raft.configuration().empty()) {
    now.peers.clear();
    now.majority = now.led = true;
  }
  if (const std::string text = stored_members_differ(); text != difference_said_) {
    if (!text.empty()) p_.env.log(LogLevel::warning, text);
    difference_said_ = text;
  }
  for (const HealthEvent& event : health_.look(now, p_.env.now_us()))
    p_.env.log(event.level, event.text);
}

void StatusReporter::say_who_is_missing() {
  say_missing_at_us_ = never_us;
  const bool in_cluster = p_.bootstrapper.is_in_cluster();
  const bool observer = in_cluster && !p_.raft.configuration().votes(p_.raft.self());
  if (in_cluster && !observer) return;
  say_missing_at_us_ = p_.env.now_us() + say_again_us;
  if (!observer)
    p_.env.log(LogLevel::warning, why_no_leader());
  else if (const std::string text = notice(); !text.empty() && !observer_said_)
    p_.env.log(LogLevel::warning, text);
  observer_said_ = observer;
}

// --- status --------------------------------------------------------------------------------------

codec::MemberStatus StatusReporter::member_status(const raft::Member& member) const {
  codec::MemberStatus status;
  status.id = member.server.id;
  // A lone node has nobody who would still call it where it was.
  status.address = p_.raft.configuration().members.size() == 1
                       ? p_.options.cluster.at(p_.options.id)
                       : member.address;
  status.voter = member.voter;
  status.connected = is_here(member.server);
  if (const auto* leading = std::get_if<raft::Leader>(&p_.raft.role())) {
    const auto it = leading->progress.find(member.server);
    status.match_index =
        raw(it == leading->progress.end() ? p_.raft.durable_index() : it->second.match_index);
  }
  status.notice = member_notice(member.server);
  return status;
}

codec::NodeStatus StatusReporter::answer(Index last_applied, std::uint64_t keys) const {
  codec::NodeStatus status;
  status.node = p_.options.id;
  status.role = name_of(role());
  status.term = p_.raft.current_term();
  if (const auto leader = p_.raft.leader()) status.leader = leader->id;
  status.commit = p_.raft.commit_index();
  status.applied = last_applied;
  status.last = p_.raft.log().last_index();
  for (const raft::Member& member : p_.raft.configuration().members)
    status.members.push_back(member_status(member));
  if (p_.raft.configuration().empty())
    for (const auto& [id, address] : p_.options.cluster) {
      const bool here = id == p_.options.id || p_.connections.find_id(id) != nullptr;
      status.members.push_back({id, address, false, here, std::nullopt, {}});
    }
  status.keys = keys;
  status.version = p_.options.version;
  status.uptime_s = (p_.env.now_us() - started_us_) / 1'000'000;
  const ClusterId cluster = p_.persister.hard_state().cluster;
  if (cluster != ClusterId{}) status.cluster = cluster_name(cluster);
  status.disk_is_full = p_.persister.told_room() != DiskSpace::enough;
  status.notice = notice();
  return status;
}

}  // namespace zatt::node
