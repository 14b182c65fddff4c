// SPDX-License-Identifier: AGPL-3.0-or-later
// What must hold after every event, whatever goes wrong: checked from outside, with arithmetic of
// its own.
//
//   one leader a term; a new leader holds all that was committed; equal (index, term) means an
//   equal past; what is applied is what was committed, on every node; terms and commit_index never
//   sink; what is committed is durable on a majority; and whatever a node says about its disk is so
//   at the moment it says it ("durable before said").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codec/peer_message.h"
#include "node/node.h"
#include "tests/sim/history.h"
#include "tests/sim/machine.h"

namespace zatt::sim {

class Judge {
 public:
  explicit Judge(std::vector<Machine>& machines) : machines_(machines), watched_(machines.size()) {}

  void on_start(std::size_t machine);
  void on_frame_sent(std::size_t machine, std::string_view frame);
  void on_reply(std::size_t machine, std::string_view lines);
  void on_apply(std::size_t machine, Index index, std::string_view command);
  void after_event(std::size_t machine);

  void fail(std::string what) {
    if (!violation_) violation_ = std::move(what);
  }
  const std::optional<std::string>& violation() const { return violation_; }
  const Ledger& ledger() const { return ledger_; }
  std::uint64_t terms_led() const { return leaders_.size(); }
  std::uint64_t committed() const { return committed_.empty() ? 0 : committed_.rbegin()->first; }

 private:
  struct Watched {  // a machine, as last seen
    std::uint64_t process = 0;
    Term term{};
    Index commit{};
    Index last{};
    Term last_term{};
    bool led = false;
  };
  void check_leader(std::size_t machine, const raft::Raft& raft);
  void check_log(std::size_t machine, const raft::Raft& raft);
  void check_commit(std::size_t machine, const raft::Raft& raft);
  void check_said(std::size_t machine, const raft::Message& message);
  std::string who_holds(Index index, Term term) const;
  bool is_durable_on_majority(Index index, Term term, const raft::Configuration& configuration);

  std::vector<Machine>& machines_;
  std::vector<Watched> watched_;
  std::map<Term, Server> leaders_;
  std::map<std::pair<Term, std::string>, Server> votes_;  // (term, voter's id and incarnation)
  struct Past {
    Term previous{};
    std::uint64_t body = 0;
  };
  std::map<std::pair<Index, Term>, Past> entries_;
  std::map<std::uint64_t, Term> committed_;
  std::map<std::uint64_t, std::uint64_t> state_hashes_;  // by applied index
  Ledger ledger_;
  std::optional<std::string> violation_;
};

}  // namespace zatt::sim
