// SPDX-License-Identifier: AGPL-3.0-or-later
// What must hold after every event, whatever goes wrong: checked from outside, with arithmetic of
// its own (nothing of raft/ decides what a quorum is here, or which logs agree), and against what
// the simulated disks would still hold after a power loss.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "codec/peer_message.h"
#include "node/node.h"
#include "tests/sim/coverage.h"
#include "tests/sim/history.h"
#include "tests/sim/invariants.h"
#include "tests/sim/machine.h"
#include "tests/sim/network.h"
#include "tests/support/host_requests.h"

namespace zatt::sim {

class InvariantChecker {
 public:
  InvariantChecker(std::vector<Machine>& machines, Coverage& coverage)
      : machines_(machines),
        coverage_(coverage),
        watched_(machines.size()),
        clusters_(machines.size()) {}

  void on_start(std::size_t machine);
  void on_wipe(std::size_t machine);
  void on_stop(std::size_t machine);  // by itself
  // To the process of that number; 0: to nobody any more. Fills in what kind of message it is.
  void on_frame_sent(std::size_t machine, std::uint64_t to, Frame& frame);
  void on_reply(std::size_t machine, std::string_view line);
  void on_answer(std::size_t machine, const test::Answer& answer);
  void on_apply(std::size_t machine, Index index, std::uint64_t time_us, std::string_view command);
  void after_event(std::size_t machine);
  // In the paper's words, what changed in a node: for the trace.
  std::function<void(const std::string& id, const std::string& what)> on_change;

  void fail(Invariant invariant, std::string what) {
    if (!violation_) violation_ = Violation{invariant, std::move(what)};
  }
  const std::optional<Violation>& violation() const { return violation_; }
  const Ledger& ledger() const { return ledger_; }
  std::uint64_t terms_led() const { return leaders_.size(); }
  std::uint64_t committed() const { return committed_.size(); }
  std::uint64_t frames() const { return frames_; }
  std::uint64_t stops() const { return stops_; }

 private:
  struct Watched {  // a machine, as last seen
    std::uint64_t process = 0;
    Term term{};
    Index commit{};
    Index last{};
    Term last_term{};
    Term led_term{};  // 0: it does not lead
    std::size_t role = 0;
    std::map<MemberId, Index> matches;  // of a leader
  };
  void check_silence(std::size_t machine, const char* action);
  bool may_stop(std::size_t machine) const;
  void hear_cluster(std::size_t machine, const codec::PeerMessage& message);
  void check_term(const raft::Raft& raft, const Watched& seen);
  void check_leader(const raft::Raft& raft, Watched& seen);
  void check_log(const raft::Raft& raft, Watched& seen);
  void check_commit(std::size_t machine, const raft::Raft& raft, const Watched& seen);
  void check_matches(const raft::Raft& raft, Watched& seen);
  void check_configuration(const raft::Raft& raft);
  void check_told(std::size_t machine, Index index, std::string_view words);
  void check_said(std::size_t machine, const MemberId& to, const raft::Message& message);
  void check_election(const Machine& machine, const raft::RequestVote& request);
  void check_vote(const Machine& machine, Term term, const MemberId& given_to);
  void tell_changes(const raft::Raft& raft, const Watched& seen);
  std::string who_holds(Index index, Term term) const;
  bool is_durable_on_quorum(Index index, Term term, const raft::Configuration& configuration);
  raft::Configuration configuration_for(std::size_t machine) const;
  const Machine* machine_of(const MemberId& server) const;

  std::vector<Machine>& machines_;
  Coverage& coverage_;
  std::vector<Watched> watched_;
  struct Belonging {  // of a machine, over all its directories, by its own words
    ClusterId last{};
    std::set<ClusterId> ever;
  };
  std::vector<Belonging> clusters_;
  std::map<Term, MemberId> leaders_;
  std::map<std::uint64_t, MemberId> processes_;          // who each was
  std::map<std::pair<Term, MemberId>, MemberId> votes_;  // (term, voter): whom it was told to
  std::map<MemberId, Term> said_;                        // the highest term each ever spoke in
  struct Past {
    Term previous{};
    std::uint64_t body = 0;
    std::uint64_t chain = 0;  // of all up to here; 0: not known
  };
  std::map<std::pair<Index, Term>, Past> entries_;
  std::vector<Term> committed_;              // by index - 1
  std::vector<std::uint64_t> state_hashes_;  // by applied index - 1; 0: not known
  std::map<Index, std::uint64_t> applied_times_;
  Ledger ledger_;
  std::uint64_t frames_ = 0;
  std::uint64_t stops_ = 0;  // of processes, by themselves
  std::optional<Violation> violation_;
};

}  // namespace zatt::sim
