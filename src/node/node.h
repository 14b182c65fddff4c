// SPDX-License-Identifier: AGPL-3.0-or-later
// One replica: raft + storage + a state machine, and the people who talk to it.
//
// Deterministic. It is called (all on one thread), does what follows, and calls Env; it never
// waits. Whoever calls it calls flush() when there is nothing more to hand over for now: what
// gathered until then is one batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/state_machine.h"
#include "base/types.h"
#include "kv/store.h"
#include "node/env.h"
#include "node/options.h"
#include "raft/raft.h"
#include "storage/disk.h"

namespace zatt::node {

enum class Role : std::uint8_t { follower, candidate, leader, learner };

struct NodeState {
  Role role = Role::follower;
  Term term{};
  std::string leader{};  // its id; empty where none is known
  Index commit_index{};
  Index last_applied{};

  friend bool operator==(const NodeState&, const NodeState&) = default;
};

class Node {
 public:
  // Reads the storage directory behind `disk` on the calling thread (blocking: a long log takes a
  // while), makes its identity where it is empty, and is ready to be called. The error's text is
  // for a person; its Code says which exit code it deserves (all of them 4 in zattd).
  // `machine` and `env` are borrowed for the node's life. `store` is the machine where that is the
  // one we ship, else null. Key-value requests are for the former, proposals and barriers for the
  // latter; the others are refused.
  static Result<std::unique_ptr<Node>> open(const Options& options, Env& env, storage::Disk& disk,
                                            StateMachine& machine, kv::Store* store);
  ~Node();

  // Begins to talk: the first Env::dial.
  void start();

  // Peers. `dialed` is the member that Env::dial was given; nothing where the peer called us.
  void on_link_up(LinkId link, std::optional<std::string> dialed);
  void on_frame(LinkId link, std::string_view frame);
  void on_link_down(LinkId link, std::string_view why = {});  // as far as that is known
  // Env::dial's attempt failed: for the log and for no_leader's messages. `why` is for a person.
  void on_dial_failed(const std::string& id, std::string_view why);

  // Clients. A line has no newline and codec::line_slack readable bytes behind it; a too long one
  // comes with its text empty.
  void on_client_open(ClientId client);
  void on_line(ClientId client, std::string_view line, bool too_long);
  // Of this process, to a machine of its own, and answered by Env::answer: a command, and the
  // question whether all that was committed when this was asked has been applied. In order with
  // lines, and subject to all that holds for a write's and a read's.
  void on_propose(ClientId client, std::string command, std::uint32_t timeout_ms);
  void on_barrier(ClientId client, std::uint32_t timeout_ms);
  void on_client_room(ClientId client);    // it has read of its replies: see Env::unread_bytes
  void on_client_end(ClientId client);     // it will send no more; answer what it sent
  void on_client_closed(ClientId client);  // it is gone

  void on_disk(storage::BatchResult result);

  // To be called at or after wake_at_us().
  void on_time();
  std::uint64_t wake_at_us() const;

  void flush();

  // Refuse what comes from now on with shutting_down and finish what is in flight; is_idle() is
  // true once nothing is. A leader hands on its leadership first where it can.
  void shut_down();
  bool is_idle() const;

  NodeState state() const;

  // For tests and the simulator's judge.
  const raft::Raft& raft() const;
  Index last_applied() const;
  std::string why_no_leader() const;  // a sentence for a person
  // Requests, proposals and reads that wait for something: none at rest.
  std::size_t backlog() const;

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::node
