// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/judge.h"

#include <algorithm>
#include <charconv>

#include "base/checksum.h"
#include "codec/frame.h"

namespace zatt::sim {
namespace {

std::string at(Index index, Term term) {
  return "(" + std::to_string(raw(index)) + ", term " + std::to_string(raw(term)) + ")";
}

std::string name(const Server& server) {
  return server.id + "/" + std::to_string(server.incarnation % 10'000);
}

}  // namespace

void Judge::on_start(std::size_t machine) {
  Watched& seen = watched_[machine];
  const raft::Raft& raft = machines_[machine].node->raft();
  seen = Watched{};
  seen.process = machines_[machine].process;
  seen.term = raft.current_term();
  machines_[machine].self = raft.self();
}

void Judge::after_event(std::size_t machine) {
  const raft::Raft& raft = machines_[machine].node->raft();
  Watched& seen = watched_[machine];
  if (raft.current_term() < seen.term) fail("the term of node " + raft.self().id + " sank");
  if (raft.commit_index() < seen.commit)
    fail("the commit_index of node " + raft.self().id + " sank");
  if (machines_[machine].node->last_applied() > raft.commit_index())
    fail("node " + raft.self().id + " applied what it does not know to be committed");
  check_log(machine, raft);
  check_leader(machine, raft);
  check_commit(machine, raft);
  seen.term = raft.current_term();
  seen.commit = raft.commit_index();
}

void Judge::check_leader(std::size_t machine, const raft::Raft& raft) {
  Watched& seen = watched_[machine];
  const bool leads = raft.is_leader();
  if (leads && (!seen.led || seen.term != raft.current_term())) {
    const auto [it, first] = leaders_.emplace(raft.current_term(), raft.self());
    if (!first && it->second != raft.self())
      fail("two leaders in term " + std::to_string(raw(raft.current_term())) + ": " +
           name(it->second) + " and " + name(raft.self()));
    // Leader completeness: of what was committed in earlier terms, the last entry stands for all,
    // by log matching. (One who wins an old term late, while a newer one is led, is held to less.)
    if (!committed_.empty() && leaders_.rbegin()->first == raft.current_term()) {
      const Index index{committed_.rbegin()->first};
      if (!raft.log().holds(index, committed_.rbegin()->second))
        fail("node " + name(raft.self()) + " leads term " +
             std::to_string(raw(raft.current_term())) + " without the committed entry " +
             at(index, committed_.rbegin()->second));
    }
  }
  seen.led = leads;
}

void Judge::check_log(std::size_t machine, const raft::Raft& raft) {
  Watched& seen = watched_[machine];
  const raft::Log& log = raft.log();
  if (log.last_index() == seen.last && log.last_term() == seen.last_term) return;
  seen.last = log.last_index();
  seen.last_term = log.last_term();
  for (Index index = seen.last; index > Index{0} && log.in_memory(index); index = index - 1) {
    const raft::Entry& entry = log.at(index);
    if (raft.current_term() == Term{0}) break;  // a founding that may yet be given up
    const Past past{log.term_at(index - 1),
                    checksum(entry.body, static_cast<std::uint64_t>(entry.kind))};
    const auto [it, first] = entries_.emplace(std::pair{index, entry.term}, past);
    if (it->second.previous != past.previous || it->second.body != past.body)
      fail("two entries " + at(index, entry.term) + " differ: node " + name(raft.self()));
    // Known with the same past on another node, or here before: what is below was compared then.
    if (!first) break;
  }
}

std::string Judge::who_holds(Index index, Term term) const {
  std::string text = "; on disk:";
  for (const Machine& machine : machines_)
    text += " " + machine.self.id +
            (machine.durable->is_entry_durable(index, term) ? "=yes" : "=no") + "(last " +
            std::to_string(raw(machine.durable->last_index())) + ")";
  return text;
}

bool Judge::is_durable_on_majority(Index index, Term term,
                                   const raft::Configuration& configuration) {
  std::size_t voters = 0, holding = 0;
  for (const raft::Member& member : configuration.members) {
    if (!member.voter) continue;
    ++voters;
    const auto machine = std::find_if(machines_.begin(), machines_.end(),
                                      [&](const Machine& m) { return m.self == member.server; });
    // A directory that was emptied since can't be asked any more.
    if (machine == machines_.end() || machine->durable->is_entry_durable(index, term)) ++holding;
  }
  return 2 * holding > voters;
}

void Judge::check_commit(std::size_t machine, const raft::Raft& raft) {
  if (!machines_[machine].durable->problem().empty()) fail(machines_[machine].durable->problem());
  const Index before = watched_[machine].commit;
  const Index commit = raft.commit_index();
  if (commit == before) return;
  for (Index index = before + 1; index <= commit; ++index) {
    const Term term = raft.log().term_at(index);
    const auto [it, first] = committed_.emplace(raw(index), term);
    if (it->second != term)
      fail("node " + name(raft.self()) + " takes " + at(index, term) +
           " for committed, another node " + at(index, it->second));
  }
  // Paper 5.4.2: what is counted is an entry of the leader's own term.
  if (raft.is_leader() && watched_[machine].led &&
      raft.log().term_at(commit) != raft.current_term())
    fail("node " + name(raft.self()) + ", leader of term " +
         std::to_string(raw(raft.current_term())) + ", commits " +
         at(commit, raft.log().term_at(commit)) + " by counting");
  if (raft.is_leader() &&
      !is_durable_on_majority(commit, raft.log().term_at(commit), raft.configuration()))
    fail("node " + name(raft.self()) + " calls " + at(commit, raft.log().term_at(commit)) +
         " committed, and no majority has it on disk" +
         who_holds(commit, raft.log().term_at(commit)));
}

void Judge::on_apply(std::size_t machine, Index index, std::string_view command) {
  const auto [it, first] = ledger_.emplace(raw(index), command);
  if (it->second != command)
    fail("machine " + std::to_string(machine) + " applies another command at " +
         std::to_string(raw(index)) + " than others did");
  const auto [state, new_state] =
      state_hashes_.emplace(raw(index), machines_[machine].store->store.state_hash());
  if (!new_state && state->second != machines_[machine].store->store.state_hash())
    fail("machine " + std::to_string(machine) + " has another state at " +
         std::to_string(raw(index)) + " than others had");
}

// An acknowledged write is on the disks of a majority at the moment the reply leaves.
void Judge::on_reply(std::size_t machine, std::string_view lines) {
  after_event(machine);  // what this event committed is committed
  constexpr std::string_view pattern = "\"rev\":";
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    const std::size_t rev = line.rfind(pattern);
    if (!line.starts_with("{\"ok\":true") || rev == std::string_view::npos) continue;
    std::uint64_t index = 0;
    std::from_chars(line.data() + rev + pattern.size(), line.data() + line.size(), index);
    const auto it = committed_.find(index);
    if (it == committed_.end()) {
      fail("revision " + std::to_string(index) + " was told and is not committed");
      continue;
    }
    const auto voters = std::find_if(machines_.begin(), machines_.end(), [](const Machine& m) {
      return m.node && !m.node->raft().configuration().empty();
    });
    if (voters != machines_.end() &&
        !is_durable_on_majority(Index{index}, it->second, voters->node->raft().configuration()))
      fail("revision " + std::to_string(index) + " was told before a majority had it on disk: " +
           std::string(line.substr(0, 200)) + who_holds(Index{index}, it->second));
  }
}

void Judge::on_frame_sent(std::size_t machine, std::string_view bytes) {
  const auto frame = codec::decode_frame(bytes);
  if (!frame) {
    fail("a node sends what is no frame");
    return;
  }
  if (frame->piece != 0 || !frame->last) return;  // large messages carry entries, no promises
  const auto message = codec::decode_peer_message(frame->payload);
  if (!message) {
    fail("a node sends what is no message");
    return;
  }
  if (const auto* said = std::get_if<raft::Message>(&*message)) check_said(machine, *said);
}

void Judge::check_said(std::size_t machine, const raft::Message& message) {
  const Machine& m = machines_[machine];
  const test::DurableLog& durable = *m.durable;
  const std::string who = "node " + name(m.self);
  const Term term = term_of(message);
  const auto* request = std::get_if<raft::RequestVote>(&message);
  const auto* vote = std::get_if<raft::VoteReply>(&message);
  const bool hypothetical = (request != nullptr && request->pre_vote) ||
                            (vote != nullptr && vote->pre_vote && vote->granted);
  if (!hypothetical && !durable.is_term_durable(term))
    fail(who + " speaks in term " + std::to_string(raw(term)) + " before that is on its disk");

  const bool own_vote = request != nullptr && !request->pre_vote;
  const bool granted = vote != nullptr && vote->granted && !vote->pre_vote;
  if ((own_vote || granted) && m.node && m.node->raft().current_term() == term) {
    const std::optional<Server>& voted_for = m.node->raft().voted_for();
    if (!voted_for || (own_vote && *voted_for != m.self) ||
        !durable.is_vote_durable(term, *voted_for)) {
      fail(who + " votes in term " + std::to_string(raw(term)) + " before that is on its disk");
      return;
    }
    const auto [it, first] = votes_.emplace(std::pair{term, name(m.self)}, *voted_for);
    if (it->second != *voted_for) fail(who + " votes twice in term " + std::to_string(raw(term)));
  }
  Index match{};
  if (const auto* reply = std::get_if<raft::AppendReply>(&message); reply && reply->success)
    match = reply->match_index;
  if (const auto* reply = std::get_if<raft::HeartbeatReply>(&message)) match = reply->match_index;
  if (match > Index{0} && m.node) {
    const Term of = m.node->raft().log().term_at(match);
    if (!durable.is_entry_durable(match, of))
      fail(who + " acknowledges " + at(match, of) + " before that is on its disk");
  }
}

}  // namespace zatt::sim
