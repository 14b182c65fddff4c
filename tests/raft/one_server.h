// SPDX-License-Identifier: AGPL-3.0-or-later
// One consensus core driven by hand: the test is its disk, its clock and all its peers.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "raft/raft.h"

namespace zatt::raft {

inline MemberId peer(const std::string& id) { return {id, 10 + std::stoull(id)}; }

inline Configuration voters(const std::vector<std::string>& ids,
                            const std::vector<std::string>& learners = {}) {
  Configuration configuration;
  for (const std::string& id : ids)
    configuration.members.push_back({peer(id), {id, 1}, true, false, false});
  for (const std::string& id : learners)
    configuration.members.push_back({peer(id), {id, 1}, false, false, true});
  return configuration;
}

// Entries whose bodies the caller keeps as literals: {index, term, time, kind, body}.
inline EntryView command(std::uint64_t index, std::uint64_t term, std::string_view body = "x") {
  return {Index{index}, Term{term}, 1000 * index, EntryKind::command, body};
}

inline AppendEntries append_of(std::uint64_t term, std::uint64_t prev, std::uint64_t prev_term,
                               std::vector<EntryView> entries = {}, std::uint64_t commit = 0) {
  return {Term{term}, Index{prev}, Term{prev_term}, Index{commit}, std::move(entries)};
}

inline RequestVote pre_vote(std::uint64_t term, std::uint64_t index = 1,
                            std::uint64_t log_term = 0) {
  return {Term{term}, Index{index}, Term{log_term}, true};
}
inline RequestVote vote(std::uint64_t term, std::uint64_t index = 1, std::uint64_t log_term = 0) {
  return {Term{term}, Index{index}, Term{log_term}, false};
}

// MemberId 1, founded (index 1, term 0), everything durable, connected to all others.
class OneServer {
 public:
  explicit OneServer(const Configuration& configuration = voters({"1", "2", "3"}),
                     Options options = {}, bool founded = true)
      : raft(with_self(std::move(options))) {
    if (!founded) return;
    step(Bootstrap{configuration});
    persist();
    for (const Member& member : configuration.members)
      if (member.server != raft.self()) step(PeerUp{member.server, BootId{1}});
  }
  // What a process finds on its disk.
  OneServer(const std::vector<EntryView>& log, const HardState& hard_state, const Floor& floor = {})
      : raft(with_self({})) {
    std::string body;
    encode(voters({"1", "2", "3"}), body);
    raft.restore({Index{1}, Term{0}, 0, EntryKind::configuration, body});
    for (const EntryView& entry : log) raft.restore(entry);
    raft.restore(peer("1"), {hard_state.current_term, hard_state.voted_for, floor});
    step(Tick{});
    for (const char* id : {"2", "3"}) step(PeerUp{peer(id), BootId{1}});
  }

  Output& step(decltype(Input::event) event) {
    output = raft.step({now_us, wall_us, std::move(event)});
    if (output.write != WriteNumber{}) last_write = output.write;
    return output;
  }
  Output& receive(const std::string& from, const Message& message) {
    return step(Received{peer(from), &message});
  }
  Output& persist() { return step(Persisted{last_write}); }
  Output& fire() {  // on to the next timer
    now_us = std::max(now_us, raft.wake_at_us());
    return step(Tick{});
  }

  // With the vote of every peer that `voting` names.
  void elect(const std::vector<std::string>& voting = {"2", "3"}) {
    fire();
    const Term term = raft.current_term() + 1;
    for (const std::string& id : voting) receive(id, VoteReply{term, true, true});
    persist();
    for (const std::string& id : voting) receive(id, VoteReply{term, true, false});
    REQUIRE(raft.is_leader());
  }
  Term term() const { return raft.current_term(); }
  Output& propose(const std::string& body = "x") {
    return step(Propose{term(), {{EntryKind::command, body}}});
  }
  void acknowledge(const std::string& from, Index match_index) {
    AppendReply reply;
    reply.term = raft.current_term();
    reply.success = true;
    reply.match_index = reply.received_index = match_index;
    receive(from, reply);
  }

  // The messages of the last step that are of this type, to `to` or to all.
  template <class T>
  std::vector<T> sent(const std::string& to = "") const {
    std::vector<T> found;
    for (const Envelope& envelope : output.messages)
      if (const T* message = std::get_if<T>(&envelope.message);
          message != nullptr && (to.empty() || envelope.to.id == to))
        found.push_back(*message);
    return found;
  }
  bool is_follower() const { return std::holds_alternative<Follower>(raft.role()); }
  bool is_candidate() const { return std::holds_alternative<Candidate>(raft.role()); }
  bool is_pre_candidate() const { return std::holds_alternative<PreCandidate>(raft.role()); }
  const Progress& progress(const std::string& id) const {
    return std::get<Leader>(raft.role()).progress.at(peer(id));
  }

  Raft raft;
  Output output;
  std::uint64_t now_us = 1'000'000;
  std::uint64_t wall_us = 5'000'000;
  WriteNumber last_write{};

 private:
  static Options with_self(Options options) {
    options.self = peer("1");
    options.seed = 7;
    options.check_output = true;
    return options;
  }
};

}  // namespace zatt::raft
