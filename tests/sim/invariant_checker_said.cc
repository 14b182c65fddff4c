// SPDX-License-Identifier: AGPL-3.0-or-later
// What a node says, to other members and to clients, against what its disks hold at that moment.
#include <algorithm>
#include <charconv>

#include "codec/peer_frames.h"
#include "tests/sim/invariant_checker.h"
#include "tests/sim/names.h"

namespace zatt::sim {
namespace {

struct KindOf {
  Kind operator()(const codec::Hello&) const { return Kind::hello; }
  Kind operator()(const codec::Refused&) const { return Kind::refused; }
  Kind operator()(const codec::BootstrapState&) const { return Kind::bootstrap_state; }
  Kind operator()(const codec::Forward&) const { return Kind::forward; }
  Kind operator()(const codec::ForwardReply&) const { return Kind::forward_reply; }
  Kind operator()(const codec::ReadIndex&) const { return Kind::read_index; }
  Kind operator()(const codec::ReadIndexReply&) const { return Kind::read_index_reply; }
  Kind operator()(const raft::Message& message) const { return test::kind_of(message); }
};

}  // namespace

// Of the machine, or where it has none yet (its directory was emptied), of any other.
raft::Configuration InvariantChecker::configuration_for(std::size_t machine) const {
  const raft::Configuration& own = machines_[machine].node->raft().configuration();
  if (!own.empty()) return own;
  for (const Machine& m : machines_)
    if (m.node && !m.node->raft().configuration().empty()) return m.node->raft().configuration();
  return own;
}

// An acknowledged write is on the disks of a majority at the moment the reply leaves.
void InvariantChecker::on_reply(std::size_t machine, std::string_view line) {
  check_silence(machine, "answers a client");
  after_event(machine);  // what this event committed is committed
  constexpr std::string_view pattern = "\"rev\":";
  const std::size_t rev = line.rfind(pattern);
  if (!line.starts_with("{\"ok\":true") || rev == std::string_view::npos) return;
  std::uint64_t index = 0;
  std::from_chars(line.data() + rev + pattern.size(), line.data() + line.size(), index);
  if (index != 0) check_told(machine, Index{index}, line);
}

void InvariantChecker::on_answer(std::size_t machine, const test::Answer& answer) {
  check_silence(machine, "answers its host");
  after_event(machine);
  if (answer.index != Index{0}) check_told(machine, answer.index, answer.text);
}

void InvariantChecker::check_told(std::size_t machine, Index index, std::string_view words) {
  const std::string revision = "revision " + number(index);
  if (raw(index) > committed_.size())
    return fail(Invariant::durable_before_said, revision + " was told and is not committed");
  const Term term = committed_[raw(index) - 1];
  if (!is_durable_on_quorum(index, term, configuration_for(machine)))
    fail(Invariant::durable_before_said, revision + " was told before a majority had it on disk: " +
                                             std::string(words.substr(0, 200)) +
                                             who_holds(index, term));
}

void InvariantChecker::on_frame_sent(std::size_t machine, std::uint64_t to, Frame& sent) {
  ++frames_;
  check_silence(machine, "speaks to its peers");
  const auto frame = codec::decode_frame(sent.bytes);
  if (!frame) return fail(Invariant::assertion, "a node sends what is no frame");
  if (frame->piece != 0 || !frame->last) return;  // large messages carry entries, no promises
  const auto message = codec::decode_peer_message(frame->payload);
  if (!message) return fail(Invariant::assertion, "a node sends what is no message");
  sent.kind = std::visit(KindOf{}, *message);
  hear_cluster(machine, *message);
  const auto* said = std::get_if<raft::Message>(&*message);
  if (said == nullptr) return;
  sent.term = term_of(*said);
  const auto other = processes_.find(to);
  check_said(machine, other == processes_.end() ? MemberId{} : other->second, *said);
}

void InvariantChecker::check_said(std::size_t machine, const MemberId& to,
                                  const raft::Message& message) {
  const Machine& m = machines_[machine];
  const test::DurableLog& durable = *m.durable;
  const std::string who = "node " + name(m.self);
  const Term term = term_of(message);
  const auto* request = std::get_if<raft::RequestVote>(&message);
  const auto* vote = std::get_if<raft::VoteReply>(&message);
  const bool hypothetical = (request != nullptr && request->pre_vote) ||
                            (vote != nullptr && vote->pre_vote && vote->granted);
  if (!hypothetical) {
    if (!durable.is_term_durable(term))
      fail(Invariant::durable_before_said,
           who + " speaks in term " + number(term) + " before that is on its disk");
    Term& highest = said_[m.self];
    if (term < highest)
      fail(Invariant::terms_only_grow,
           who + " speaks in term " + number(term) + " after term " + number(highest));
    highest = std::max(highest, term);
  }
  if (request != nullptr && !request->pre_vote) {
    check_election(m, *request);
    check_vote(m, term, m.self);
  }
  // What goes nowhere is told to nobody.
  if (vote != nullptr && !vote->pre_vote && vote->granted && !to.id.empty())
    check_vote(m, term, to);
  Index match{};
  if (const auto* reply = std::get_if<raft::AppendReply>(&message); reply && reply->success)
    match = reply->match_index;
  if (const auto* reply = std::get_if<raft::HeartbeatReply>(&message)) match = reply->match_index;
  if (match == Index{0} || !m.node) return;
  const Term of = m.node->raft().log().term_at(match);
  if (!durable.is_entry_durable(match, of))
    fail(Invariant::durable_before_said,
         who + " acknowledges " + at(match, of) + " before that is on its disk");
}

void InvariantChecker::check_election(const Machine& m, const raft::RequestVote& request) {
  if (!m.node) return;
  const raft::Floor& floor = m.node->raft().floor();
  if (floor.open_term ||
      std::pair(request.last_log_term, request.last_log_index) < std::pair(floor.term, floor.index))
    fail(Invariant::silent_after_damage,
         "node " + name(m.self) + " campaigns below the floor that damage has left it");
}

// Given is what somebody is told to have: who says to two that it is for them has voted twice,
// whatever it remembers.
void InvariantChecker::check_vote(const Machine& m, Term term, const MemberId& given_to) {
  const std::string who = "node " + name(m.self);
  const auto [it, first] = votes_.emplace(std::pair{term, m.self}, given_to);
  if (it->second != given_to)
    return fail(Invariant::one_vote_a_term, who + " votes twice in term " + number(term) +
                                                ", for " + name(it->second) + " and for " +
                                                name(given_to));
  if (!m.durable->is_vote_durable(term, given_to))
    fail(Invariant::durable_before_said, who + " votes for " + name(given_to) + " in term " +
                                             number(term) + " before that is on its disk");
}

}  // namespace zatt::sim
