// SPDX-License-Identifier: AGPL-3.0-or-later
// What a person is told of this node: the answer to `status`, why nobody leads, and log lines when
// something has changed.
//
// It reads the other parts, and changes none of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "codec/response.h"
#include "node/bootstrapper.h"
#include "node/health.h"
#include "node/node_state.h"
#include "node/peer_connections.h"
#include "node/peer_table.h"
#include "node/persister.h"
#include "raft/raft.h"

namespace zatt::node {

class StatusReporter {
 public:
  // All are borrowed for its life.
  struct Parts {
    const Options& options;
    Env& env;
    const raft::Raft& raft;
    const Persister& persister;
    const PeerConnections& connections;
    const PeerTable& peers;
    const Bootstrapper& bootstrapper;
  };
  explicit StatusReporter(const Parts& parts) : p_(parts) {}

  void start();

  NodeState state(Index last_applied) const;
  // A sentence.
  std::string why_no_leader() const;
  // All that a person should know or do; empty where all is well.
  std::string notice() const;
  codec::NodeStatus answer(Index last_applied, std::uint64_t keys) const;

  // To be called after each step of the core: logs who leads, and that the log is repaired. Whether
  // leader or term are others than before.
  bool note_changes();
  // Something may have changed: a look at it is due soon.
  void stir() { health_.stir(p_.env.now_us()); }
  // There is no cluster yet, or not any more: says so soon, where that lasts.
  void expect_cluster();

  void on_time();
  std::uint64_t wake_at_us() const;

 private:
  Role role() const;
  // Of a member, for whoever asks for status: its directory was emptied, or nothing.
  std::string member_notice(const MemberId& member) const;
  codec::MemberStatus member_status(const raft::Member& member) const;
  // Whether this member is this node, or connected to it.
  bool is_here(const MemberId& member) const;
  // Each of these is a part of notice(), or empty.
  std::string membership_notice() const;
  std::string room_notice() const;
  std::string disk_notice() const;
  std::string leader_notice() const;
  std::string who_is_far_behind() const;
  std::string stored_members_differ() const;
  std::string why_no_cluster() const;
  // How the cluster is, for health.
  Picture picture() const;
  PeerHealth peer_health(const MemberId& member) const;
  bool is_anyone_behind() const;
  void announce_leader();
  void say_changes();
  void say_who_is_missing();

  const Parts p_;
  Health health_;
  std::optional<MemberId> known_leader_;
  Term known_term_{};
  bool was_below_floor_ = false;  // as at the start: the log is being repaired
  std::uint64_t started_us_ = 0;
  std::uint64_t say_missing_at_us_ = 0;
  bool observer_said_ = false;
  std::string difference_said_;  // between the members here and those of the cluster
};

}  // namespace zatt::node
