// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/player.h"

#include <algorithm>
#include <cstdio>

#include "tests/scenario/core_world.h"
#include "tests/scenario/node_world.h"

namespace zatt::test {
namespace {

const char* role_of(const raft::Raft& raft) {
  static constexpr const char* roles[] = {"follower", "pre_candidate", "candidate", "leader"};
  return roles[raft.role().index()];
}

std::string names(const std::set<MemberId>& servers) {
  Words ids;
  for (const MemberId& server : servers) ids.push_back(server.id);
  return "[" + join(ids) + "]";
}

std::string field(const char* name, std::uint64_t value) {
  return std::string(" ") + name + "=" + std::to_string(value);
}

}  // namespace

std::vector<std::string> ScenarioPlayer::play(const std::string& script,
                                              const std::vector<std::string>& at_end) {
  for (const Words& words : statements_of(script)) {
    script_.begin(words);
    if (trace_) std::printf("--- %s\n", script_.statement().c_str());
    perform(words);
    if (!world_) return script_.lines();
    for (const std::string& violation : world_->violations()) script_.error(violation);
  }
  if (!world_) {
    script_.error("an empty scenario");
    return script_.lines();
  }
  world_->on_end();
  if (!world_->shows_states_at_end()) return script_.lines();
  for (const std::string& id : world_->ids())
    if (at_end.empty() || std::find(at_end.begin(), at_end.end(), id) != at_end.end())
      script_.show(state(id));
  return script_.lines();
}

void ScenarioPlayer::perform(const Words& words) {
  const std::string& verb = words.front();
  const Words rest(words.begin() + 1, words.end());
  if (verb == "cluster" || verb == "nodes")
    make_world(words);
  else if (!world_)
    script_.error("a scenario begins with: cluster 1 2 3, or: nodes 3");
  else if (!perform_in_time(verb, rest) && !perform_on_servers(verb, rest) &&
           !perform_on_network(verb, rest) && !show(verb, rest) && !world_->perform(words))
    script_.error("unknown word \"" + verb + "\"; README.md has them all");
}

void ScenarioPlayer::make_world(const Words& words) {
  if (world_) world_->on_end();
  const Words rest(words.begin() + 1, words.end());
  terms_led_before_ = highest_term_before_ = 0;
  world_ = words.front() == "cluster" ? CoreWorld::make(script_, rest, trace_)
                                      : NodeWorld::make(script_, rest, trace_);
  if (!world_) return;
  script_.servers = world_->ids();
  mark();
}

// --- time ----------------------------------------------------------------------------------------

bool ScenarioPlayer::perform_in_time(const std::string& verb, const Words& rest) {
  if (verb == "run") {
    const auto ms = rest.size() == 1 ? number_in(rest[0]) : std::nullopt;
    if (!ms) script_.error("how many ms?");
    const std::uint64_t end = world_->now_us() + ms.value_or(0) * 1000;
    while (world_->run_one(end)) {
    }
  } else if (verb == "elect") {
    if (rest.size() != 1) return script_.error("which server?"), true;
    if (script_.are_servers(rest) && !world_->elect(rest[0])) script_.error("was not elected");
  } else {
    return false;
  }
  return true;
}

// --- servers -------------------------------------------------------------------------------------

bool ScenarioPlayer::perform_on_servers(const std::string& verb, const Words& rest) {
  if (verb != "crash" && verb != "start" && verb != "wipe") return false;
  if (script_.are_servers(rest)) come_and_go(verb, rest);
  return true;
}

void ScenarioPlayer::come_and_go(const std::string& verb, const Words& ids) {
  for (const std::string& id : ids) {
    if (world_->is_up(id) != (verb == "crash"))
      script_.error(id + (verb == "crash" ? " is down" : " is up"));
    else if (verb == "crash")
      world_->crash(id);
    else if (verb == "start")
      world_->start(id);
    else
      world_->wipe(id);
  }
}

// --- the network ---------------------------------------------------------------------------------

bool ScenarioPlayer::perform_on_network(const std::string& verb, const Words& rest) {
  if (verb == "deliver") {
    world_->deliver(script_.which(rest));
  } else if (verb == "hold") {
    add_rule(Fate::hold, rest);
  } else if (verb == "drop") {
    add_rule(Fate::drop, rest);
  } else if (verb == "double") {
    add_rule(Fate::twice, rest);
  } else if (verb == "halve") {
    add_rule(Fate::every_second, rest);
  } else if (verb == "release") {
    world_->rules().clear(script_.which(rest));
    world_->on_rules_cleared(rest.empty());
  } else if (verb == "lose") {
    world_->lose(script_.which(rest));
  } else if (verb == "isolate") {
    isolate(rest);
  } else if (verb == "heal") {
    heal(rest);
  } else if (verb == "cut") {
    cut(rest);
  } else {
    return false;
  }
  return true;
}

// drop 30% append: only so many of them
void ScenarioPlayer::add_rule(Fate fate, Words rest) {
  std::uint64_t percent = 100;
  if (!rest.empty() && rest.front().ends_with('%')) {
    const auto number = number_in(rest.front().substr(0, rest.front().size() - 1));
    if (!number || fate != Fate::drop) return script_.error("drop PERCENT% WHICH");
    percent = *number;
    rest.erase(rest.begin());
  }
  world_->rules().add(fate, script_.which(rest), percent);
}

void ScenarioPlayer::isolate(const Words& rest) {
  if (!script_.are_servers(rest)) return;
  for (const std::string& id : rest) {
    for (const std::string& other : world_->ids()) {
      if (std::find(rest.begin(), rest.end(), other) != rest.end()) continue;
      world_->cut(id, other);
      world_->cut(other, id);
    }
  }
}

// heal: all; heal 1 2: all links of these
void ScenarioPlayer::heal(const Words& rest) {
  const Words healed = rest.empty() ? world_->ids() : rest;
  if (!script_.are_servers(healed)) return;
  for (const std::string& id : healed)
    for (const std::string& other : world_->ids())
      if (other != id) world_->mend(id, other);
}

// cut 1 2: both ways; cut 1>2: one way
void ScenarioPlayer::cut(const Words& rest) {
  if (rest.size() == 2) {
    if (!script_.are_servers(rest)) return;
    world_->cut(rest[0], rest[1]);
    world_->cut(rest[1], rest[0]);
    return;
  }
  const Words ends = rest.size() == 1 ? split(rest[0], '>') : Words{};
  if (ends.size() != 2) return script_.error("cut A B, or cut A>B");
  if (script_.are_servers(ends)) world_->cut(ends[0], ends[1]);
}

// --- what is seen --------------------------------------------------------------------------------

bool ScenarioPlayer::show(const std::string& verb, const Words& rest) {
  if (verb == "show") {
    const Words shown = rest.empty() ? world_->ids() : rest;
    if (!script_.are_servers(shown)) return true;
    for (const std::string& id : shown) script_.show(state(id));
  } else if (verb == "count") {
    script_.show("sent " + join(rest) + ": " + std::to_string(world_->sent(script_.which(rest))));
  } else if (verb == "expect") {
    expect(rest);
  } else if (verb == "mark" && rest.empty()) {
    mark();
  } else {
    return false;
  }
  return true;
}

// expect [never|always] CONDITION [within MS]
void ScenarioPlayer::expect(Words condition) {
  std::uint64_t until_us = world_->now_us();
  if (condition.size() > 2 && condition[condition.size() - 2] == "within") {
    const auto ms = number_in(condition.back());
    if (!ms) return script_.error("within how many ms?");
    until_us += *ms * 1000;
    condition.resize(condition.size() - 2);
  }
  const bool never = !condition.empty() && condition.front() == "never";
  const bool always = !condition.empty() && condition.front() == "always";
  if (never || always) condition.erase(condition.begin());
  if (condition.empty()) return script_.error("expect what?");
  if (never || always) return watch(condition, always, until_us);
  while (true) {
    const std::string instead = why_not(condition);
    if (instead.empty()) return world_->on_expected(condition);
    if (!world_->run_one(until_us)) return script_.error(instead);
  }
}

void ScenarioPlayer::watch(const Words& condition, bool wanted, std::uint64_t until_us) {
  do {
    const std::string instead = why_not(condition);
    if (wanted && !instead.empty()) return script_.error(instead);
    if (!wanted && instead.empty())
      return script_.error("it is so at " + std::to_string(world_->now_us() / 1000) + " ms");
  } while (world_->run_one(until_us));
}

std::string ScenarioPlayer::why_not(const Words& condition) {
  const std::string& first = condition.front();
  if (script_.is_server(first)) {
    const std::string line = state(first);
    const Words have = words_of(line);
    for (auto word = condition.begin() + 1; word != condition.end(); ++word)
      if (!is_among(*word, have)) return "it is: " + line;
    return condition.size() > 1 ? "" : "expect SERVER WORD...";
  }
  if (condition == Words{"one_leader"}) return why_no_one_leads();
  if (condition == Words{"level"}) return why_not_level();
  if (auto instead = world_->why_not(condition)) return *instead;
  const Words have = counters();
  const std::string name = first.substr(0, first.find_first_of("<>="));
  const bool is_counter = std::any_of(have.begin(), have.end(), [&](const std::string& word) {
    return option_in(word).name == name;
  });
  if (!is_counter) return "there is no " + first;
  for (const std::string& word : condition)
    if (!is_among(word, have)) return "it is: " + join(have);
  return "";
}

// One leads, and a majority follows it.
std::string ScenarioPlayer::why_no_one_leads() const {
  const Words ids = world_->ids();
  std::optional<MemberId> leader;
  std::size_t leaders = 0, following = 0;
  for (const std::string& id : ids) {
    if (!world_->is_up(id) || !world_->raft(id).is_leader()) continue;
    leader = world_->raft(id).self();
    ++leaders;
  }
  for (const std::string& id : ids)
    if (world_->is_up(id) && leader && world_->raft(id).leader() == leader) ++following;
  if (leaders == 1 && 2 * following > ids.size()) return "";
  return std::to_string(leaders) + " lead, " + std::to_string(following) + " follow";
}

// All who run have one log, and know that all of it is committed.
std::string ScenarioPlayer::why_not_level() const {
  std::optional<Index> last;
  for (const std::string& id : world_->ids()) {
    if (!world_->is_up(id)) continue;
    const raft::Raft& raft = world_->raft(id);
    last = last.value_or(raft.commit_index());
    if (raft.commit_index() != *last || raft.log().last_index() != *last)
      return "it is: " + state(id);
  }
  return "";
}

Words ScenarioPlayer::counters() const {
  Words all = world_->counters();
  all.push_back("leader_changes=" + std::to_string(world_->terms_led() - terms_led_before_));
  all.push_back("terms=" + std::to_string(highest_term() - highest_term_before_));
  return all;
}

std::uint64_t ScenarioPlayer::highest_term() const {
  std::uint64_t highest = highest_term_before_;
  for (const std::string& id : world_->ids())
    if (world_->is_up(id)) highest = std::max(highest, raw(world_->raft(id).current_term()));
  return highest;
}

void ScenarioPlayer::mark() {
  world_->restart_counters();
  terms_led_before_ = world_->terms_led();
  highest_term_before_ = highest_term();
}

std::string ScenarioPlayer::state(const std::string& id) const {
  if (!world_->is_up(id)) return id + " down";
  const raft::Raft& raft = world_->raft(id);
  std::string role = role_of(raft);
  role.resize(13, ' ');
  std::string line = id + " " + role + " " + field("current_term", raw(raft.current_term())) +
                     field("commit_index", raw(raft.commit_index()));
  if (raft.log().last_index() > raft.commit_index())
    line += field("last_index", raw(raft.log().last_index()));
  if (raft.durable_index() < raft.log().last_index())
    line += field("durable_index", raw(raft.durable_index()));
  if (const auto* pre_candidate = std::get_if<raft::PreCandidate>(&raft.role()))
    line += " votes=" + names(pre_candidate->votes);
  if (const auto* candidate = std::get_if<raft::Candidate>(&raft.role()))
    line += " votes=" + names(candidate->votes);
  return line + world_->more_about(id);
}

}  // namespace zatt::test
