// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/invariant_checker.h"

#include <algorithm>
#include <cerrno>

#include "base/checksum.h"
#include "tests/sim/names.h"

namespace zatt::sim {
namespace {

// Its disk has failed it in this event, by more than being full: from then on it says nothing.
bool has_failed(const Machine& machine) {
  const auto& error = machine.disk_failure;
  return error && *error != ENOSPC && *error != EDQUOT;
}

// It held the entry once and may have lost it by rot, so that nobody lies who still counts on it.
bool is_in_doubt(const Machine& machine, Index index) {
  return index <= machine.in_doubt_up_to && index >= machine.in_doubt_from;
}

}  // namespace

void InvariantChecker::on_start(std::size_t machine) {
  Watched& seen = watched_[machine];
  const raft::Raft& raft = machines_[machine].node->raft();
  seen = Watched{};
  seen.process = machines_[machine].process;
  seen.term = raft.current_term();
  machines_[machine].self = raft.self();
  processes_[seen.process] = raft.self();
  if (const auto said = said_.find(raft.self()); said != said_.end() && seen.term < said->second)
    fail(Invariant::terms_only_grow, "node " + name(raft.self()) + " starts in term " +
                                         number(seen.term) + " and has spoken in term " +
                                         number(said->second));
  if (raft.floor().is_set() && !machines_[machine].has_rotted)
    fail(Invariant::silent_after_damage,
         "node " + name(raft.self()) +
             " takes for damage what is none: it starts with a floor at " +
             at(raft.floor().index, raft.floor().term));
}

void InvariantChecker::check_silence(std::size_t machine, const char* action) {
  const Machine& m = machines_[machine];
  if (m.stopped || has_failed(m))
    fail(
        Invariant::silent_after_damage,
        std::string("a node that ") + (m.stopped ? "has stopped " : "has lost its disk ") + action);
}

// What a node may give up for: a call of its disk that failed by more than being full, damage, a
// majority of another cluster.
bool InvariantChecker::may_stop(std::size_t machine) const {
  const Machine& m = machines_[machine];
  if (*m.stopped == node::StopReason::disk_failed) return has_failed(m);
  if (*m.stopped == node::StopReason::storage_corrupt) return m.has_rotted;
  const ClusterId own = clusters_[machine].last;
  const auto foreign =
      std::count_if(clusters_.begin(), clusters_.end(), [own](const Belonging& other) {
        return std::any_of(other.ever.begin(), other.ever.end(),
                           [own](ClusterId cluster) { return cluster != own; });
      });
  return *m.stopped == node::StopReason::refused &&
         2 * static_cast<std::size_t>(foreign) > machines_.size();
}

void InvariantChecker::on_stop(std::size_t machine) {
  ++stops_;
  const Machine& m = machines_[machine];
  if (!may_stop(machine))
    fail(Invariant::silent_after_damage,
         "node " + name(m.self) + " stops for no reason: " + std::string(to_string(*m.stopped)));
}

void InvariantChecker::hear_cluster(std::size_t machine, const codec::PeerMessage& message) {
  const auto* hello = std::get_if<codec::Hello>(&message);
  const auto* bootstrap_state =
      hello != nullptr ? &hello->bootstrap_state : std::get_if<codec::BootstrapState>(&message);
  if (bootstrap_state == nullptr || bootstrap_state->cluster == ClusterId{0}) return;
  clusters_[machine].last = bootstrap_state->cluster;
  clusters_[machine].ever.insert(bootstrap_state->cluster);
}

void InvariantChecker::on_wipe(std::size_t machine) { watched_[machine] = Watched{}; }

void InvariantChecker::after_event(std::size_t machine) {
  const raft::Raft& raft = machines_[machine].node->raft();
  Watched& seen = watched_[machine];
  if (machines_[machine].node->last_applied() > raft.commit_index())
    fail(Invariant::commit_only_grows,
         "node " + raft.self().id + " applied what it does not know to be committed");
  if (has_failed(machines_[machine]) && !machines_[machine].stopped)
    fail(Invariant::silent_after_damage,
         "a call of the disk of node " + raft.self().id + " has failed, and it goes on");
  if (Index& doubt = machines_[machine].in_doubt_up_to;
      doubt > Index{0} &&
      machines_[machine].durable->is_entry_durable(doubt, machines_[machine].in_doubt_term))
    doubt = Index{0};
  check_term(raft, seen);
  check_log(raft, seen);
  check_leader(raft, seen);
  check_commit(machine, raft, seen);
  check_matches(raft, seen);
  if (on_change) tell_changes(raft, seen);
  seen.term = raft.current_term();
  seen.commit = raft.commit_index();
  seen.last = raft.log().last_index();
  seen.last_term = raft.log().last_term();
  seen.role = raft.role().index();
}

void InvariantChecker::tell_changes(const raft::Raft& raft, const Watched& seen) {
  static constexpr const char* roles[] = {"follower", "pre-candidate", "candidate", "leader"};
  std::string what;
  const std::size_t role = raft.role().index();
  if (role != seen.role || raft.current_term() != seen.term)
    what += std::string(" ") + roles[role] + " in term " + number(raft.current_term());
  if (raft.log().last_index() < seen.last) what += " cuts its log;";
  if (raft.log().last_index() != seen.last || raft.log().last_term() != seen.last_term)
    what += " last=" + number(raft.log().last_index()) + "/" + number(raft.log().last_term());
  if (raft.commit_index() != seen.commit) what += " commit=" + number(raft.commit_index());
  if (!what.empty()) on_change(raft.self().id, "is now" + what);
}

void InvariantChecker::check_term(const raft::Raft& raft, const Watched& seen) {
  if (raft.current_term() < seen.term)
    fail(Invariant::terms_only_grow, "the term of node " + raft.self().id + " sank");
  if (raft.commit_index() < seen.commit)
    fail(Invariant::commit_only_grows, "the commit_index of node " + raft.self().id + " sank");
}

void InvariantChecker::check_leader(const raft::Raft& raft, Watched& seen) {
  if (!raft.is_leader()) {
    seen.led_term = Term{0};
    return;
  }
  if (seen.led_term == raft.current_term()) return;
  seen.led_term = raft.current_term();
  seen.matches.clear();
  const auto [it, first] = leaders_.emplace(raft.current_term(), raft.self());
  if (!first && it->second != raft.self())
    fail(Invariant::election_safety, "two leaders in term " + number(raft.current_term()) + ": " +
                                         name(it->second) + " and " + name(raft.self()));
  // Of what was committed in earlier terms, the last entry stands for all, by log matching. (One
  // who wins an old term late, while a newer one is led, is held to less.)
  if (committed_.empty() || leaders_.rbegin()->first != raft.current_term()) return;
  const Index index{committed_.size()};
  if (raft.log().last_index() < index || raft.log().term_at(index) != committed_.back())
    fail(Invariant::leader_completeness,
         "node " + name(raft.self()) + " leads term " + number(raft.current_term()) +
             " without the committed entry " + at(index, committed_.back()));
}

void InvariantChecker::check_log(const raft::Raft& raft, Watched& seen) {
  const raft::Log& log = raft.log();
  if (log.last_index() == seen.last && log.last_term() == seen.last_term) return;
  if (seen.led_term == raft.current_term() && raft.is_leader() &&
      (log.last_index() < seen.last ||
       (seen.last > Index{0} && log.term_at(seen.last) != seen.last_term)))
    fail(Invariant::leader_append_only, "node " + name(raft.self()) + ", leader of term " +
                                            number(raft.current_term()) +
                                            ", drops or rewrites its own entries");
  if (raft.current_term() == Term{0}) return;  // a founding that may yet be given up
  // Down to what is known with the same past: what is below was compared then.
  Index from = log.last_index();
  while (from > Index{0} && log.in_memory(from) && !entries_.contains({from, log.term_at(from)}))
    from = from - 1;
  if (committed_.empty()) from = Index{1};
  for (Index index = std::max(from, Index{1}); index <= log.last_index(); ++index) {
    if (!log.in_memory(index)) continue;
    const Entry& entry = log.at(index);
    Past past;
    past.previous = log.term_at(index - 1);
    past.body =
        checksum(entry.body, checksum_key(entry.time_us, static_cast<std::uint64_t>(entry.kind)));
    if (log.in_memory(index - 1) && entry.time_us < log.at(index - 1).time_us)
      fail(Invariant::times_ascend, "the time of " + at(index, entry.term) +
                                        " is before that of the entry before: node " +
                                        name(raft.self()));
    const auto before = entries_.find({index - 1, past.previous});
    const std::uint64_t chain = index == Index{1}          ? 1
                                : before != entries_.end() ? before->second.chain
                                                           : 0;
    if (chain != 0) past.chain = checksum_key(chain, past.body);
    const auto [it, first] = entries_.emplace(std::pair{index, entry.term}, past);
    // A founding in which nothing was committed can be given up for another.
    if (index == Index{1} && committed_.empty()) it->second = past;
    const Past& known = it->second;
    if (known.previous != past.previous || known.body != past.body ||
        (known.chain != 0 && past.chain != 0 && known.chain != past.chain))
      fail(Invariant::log_matching,
           "two entries " + at(index, entry.term) + " differ: node " + name(raft.self()));
    if (entry.kind == EntryKind::configuration) check_configuration(raft);
  }
}

// In force is the last one in the log; of those not committed there is one at most.
void InvariantChecker::check_configuration(const raft::Raft& raft) {
  Index last{};
  std::uint64_t uncommitted = 0;
  for (Index index = raft.log().last_index(); index > Index{0}; index = index - 1) {
    if (!raft.log().in_memory(index)) break;
    if (raft.log().at(index).kind != EntryKind::configuration) continue;
    last = std::max(last, index);
    if (index > raft.commit_index()) ++uncommitted;
  }
  if (last > Index{0} && raft.configuration_index() != last)
    fail(Invariant::configuration_rules,
         "node " + name(raft.self()) + " does not use the last configuration of its log");
  if (uncommitted > 1)
    fail(Invariant::configuration_rules,
         "node " + name(raft.self()) + " holds two configurations that are not committed");
}

const Machine* InvariantChecker::machine_of(const MemberId& server) const {
  const auto found = std::find_if(machines_.begin(), machines_.end(),
                                  [&](const Machine& m) { return m.self == server; });
  return found == machines_.end() ? nullptr : &*found;
}

// What a leader believes of a follower's disk is so.
void InvariantChecker::check_matches(const raft::Raft& raft, Watched& seen) {
  const auto* leader = std::get_if<raft::Leader>(&raft.role());
  // One that does not know yet that a later term is led may believe what was so.
  if (leader == nullptr || leaders_.rbegin()->first > raft.current_term()) return;
  for (const auto& [server, progress] : leader->progress) {
    if (progress.next_index <= progress.match_index)
      fail(Invariant::match_is_durable, "node " + name(raft.self()) + ": next_index of " +
                                            name(server) + " is not above its match_index");
    Index& match = seen.matches[server];
    if (match == progress.match_index) continue;
    match = progress.match_index;
    if (match == Index{0}) continue;
    const Machine* machine = machine_of(server);
    if (machine == nullptr || is_in_doubt(*machine, match)) continue;  // emptied since, or spoiled
    if (!machine->durable->is_entry_durable(match, raft.log().term_at(match)))
      fail(Invariant::match_is_durable, "node " + name(raft.self()) + " believes that " +
                                            name(server) + " holds " +
                                            at(match, raft.log().term_at(match)));
  }
}

std::string InvariantChecker::who_holds(Index index, Term term) const {
  std::string text = "; on disk:";
  for (const Machine& machine : machines_) {
    text += " " + machine.self.id +
            (machine.durable->is_entry_durable(index, term) ? "=yes" : "=no") + "(last " +
            number(machine.durable->last_index());
    if (machine.in_doubt_up_to > Index{0})
      text +=
          ", in doubt " + number(machine.in_doubt_from) + " to " + number(machine.in_doubt_up_to);
    text += ")";
  }
  return text;
}

bool InvariantChecker::is_durable_on_quorum(Index index, Term term,
                                            const raft::Configuration& configuration) {
  std::size_t voters = 0, holding = 0;
  for (const raft::Member& member : configuration.members) {
    if (!member.voter) continue;
    ++voters;
    const Machine* machine = machine_of(member.server);
    // A directory that was emptied or spoiled since can't be asked any more.
    if (machine == nullptr || is_in_doubt(*machine, index) ||
        machine->durable->is_entry_durable(index, term))
      ++holding;
  }
  return 2 * holding > voters;
}

void InvariantChecker::check_commit(std::size_t machine, const raft::Raft& raft,
                                    const Watched& seen) {
  if (!machines_[machine].durable->problem().empty())
    fail(Invariant::durable_before_said, machines_[machine].durable->problem());
  const Index commit = raft.commit_index();
  if (commit == seen.commit) return;
  if (commit > raft.log().last_index())
    fail(Invariant::commit_only_grows, "node " + name(raft.self()) + " commits beyond its log");
  for (Index index = seen.commit + 1; index <= commit; ++index) {
    const Term term = raft.log().term_at(index);
    if (raw(index) <= committed_.size()) {
      if (committed_[raw(index) - 1] != term)
        fail(Invariant::state_machine_safety,
             "node " + name(raft.self()) + " takes " + at(index, term) +
                 " for committed, another node " + at(index, committed_[raw(index) - 1]));
      continue;
    }
    committed_.push_back(term);
  }
  if (!raft.is_leader()) return;
  const Term term = raft.log().term_at(commit);
  // Paper 5.4.2: what is counted is an entry of the leader's own term.
  if (seen.led_term == raft.current_term() && term != raft.current_term())
    fail(Invariant::state_machine_safety, "node " + name(raft.self()) + ", leader of term " +
                                              number(raft.current_term()) + ", commits " +
                                              at(commit, term) + " by counting");
  if (!is_durable_on_quorum(commit, term, raft.configuration()))
    fail(Invariant::committed_on_a_quorum,
         "node " + name(raft.self()) + " calls " + at(commit, term) +
             " committed, and no majority has it on disk" + who_holds(commit, term));
}

void InvariantChecker::on_apply(std::size_t machine, Index index, std::uint64_t time_us,
                                std::string_view command) {
  const auto [it, first] = ledger_.emplace(raw(index), command);
  if (!first && it->second != command)
    fail(Invariant::state_machine_safety, "machine " + std::to_string(machine) +
                                              " applies another command at " + number(index) +
                                              " than others did");
  if (applied_times_.emplace(index, time_us).first->second != time_us)
    fail(Invariant::state_machine_safety, "machine " + std::to_string(machine) + " applies " +
                                              number(index) + " at another time than others did");
  if (state_hashes_.size() < raw(index)) state_hashes_.resize(raw(index));
  std::uint64_t& known = state_hashes_[raw(index) - 1];
  const std::uint64_t state = machines_[machine].state_hash();
  if (known == 0) known = state;
  if (known != state)
    fail(Invariant::equal_states, "machine " + std::to_string(machine) + " has another state at " +
                                      number(index) + " than others had");
}

}  // namespace zatt::sim
