// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/player.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace zatt::test {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::uint64_t number_in(std::string_view text) {  // 0 where it is none
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size() ? number : 0;
}

const char* role_of(const raft::Raft& raft) {
  static constexpr const char* roles[] = {"follower", "pre_candidate", "candidate", "leader"};
  return roles[raft.role().index()];
}

std::string names(const std::set<Server>& servers) {
  std::vector<std::string> ids;
  for (const Server& server : servers) ids.push_back(server.id);
  return "[" + join(ids) + "]";
}

std::string field(const char* name, std::uint64_t value) {
  return std::string(" ") + name + "=" + std::to_string(value);
}

}  // namespace

std::vector<std::string> ScenarioPlayer::play(const std::string& script,
                                              const std::vector<std::string>& at_end) {
  lines_.clear();
  for (const std::string& line : split(script, '\n')) {
    for (const std::string& statement : split(line.substr(0, line.find('#')), ';')) {
      const Words words = words_of(statement);
      if (words.empty()) continue;
      statement_ = join(words);
      perform(words);
      if (!cluster_) return lines_;
      for (const std::string& violation : cluster_->violations()) error(violation);
    }
  }
  if (!cluster_) {
    error("an empty scenario");
    return lines_;
  }
  for (const std::string& id : cluster_->ids())
    if (at_end.empty() || std::find(at_end.begin(), at_end.end(), id) != at_end.end())
      lines_.push_back(state(id));
  return lines_;
}

void ScenarioPlayer::error(const std::string& what) {
  lines_.push_back("error: " + statement_ + ": " + what);
}

void ScenarioPlayer::perform(const Words& words) {
  const std::string& verb = words.front();
  const Words rest(words.begin() + 1, words.end());
  if (verb == "cluster")
    make_cluster(rest);
  else if (!cluster_)
    error("a scenario begins with: cluster 1 2 3");
  else if (!perform_in_time(verb, rest) && !perform_on_servers(verb, rest) &&
           !perform_on_network(verb, rest) && !show(verb, rest))
    error("unknown word \"" + verb + "\"; README.md has them all");
}

bool ScenarioPlayer::are_servers(const Words& words) {
  for (const std::string& word : words) {
    if (cluster_->is_seat(word)) continue;
    error("no server " + word);
    return false;
  }
  if (words.empty()) error("which server?");
  return !words.empty();
}

// cluster 1 2 3 learners 4 append_bytes=1
void ScenarioPlayer::make_cluster(const Words& rest) {
  std::vector<std::string> voters, learners;
  RaftCluster::Options options;
  auto* kind = &voters;
  for (const std::string& word : rest) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (equals == std::string::npos && word == "learners")
      kind = &learners;
    else if (equals == std::string::npos)
      kind->push_back(word);
    else if (name == "append_bytes")
      options.max_append_bytes = number_in(word.substr(equals + 1));
    else if (name == "in_flight_bytes")
      options.max_in_flight_bytes = number_in(word.substr(equals + 1));
    else if (name == "log_bytes")
      options.max_log_bytes = number_in(word.substr(equals + 1));
    else
      return error("unknown option " + name);
  }
  if (voters.empty()) return error("which servers?");
  cluster_ = std::make_unique<RaftCluster>(voters, learners, options);
}

// --- time ----------------------------------------------------------------------------------------

bool ScenarioPlayer::perform_in_time(const std::string& verb, const Words& rest) {
  if (verb == "settle" && rest.empty()) {
    cluster_->settle();
  } else if (verb == "pass" || verb == "run") {
    const std::uint64_t ms = rest.size() == 1 ? number_in(rest[0]) : 0;
    if (ms == 0)
      error("how many ms?");
    else if (verb == "pass")
      cluster_->pass(ms * 1000);
    else
      cluster_->run(ms * 1000);
  } else if (verb == "timeout") {
    if (!are_servers(rest)) return true;
    for (const std::string& id : rest) cluster_->fire(id);
  } else if (verb == "elect") {
    if (are_servers(rest) && !cluster_->elect(rest.front())) error("was not elected");
  } else {
    return false;
  }
  return true;
}

// --- servers -------------------------------------------------------------------------------------

bool ScenarioPlayer::perform_on_servers(const std::string& verb, const Words& rest) {
  if (verb == "propose") {
    propose(rest);
  } else if (verb == "read") {
    read(rest);
  } else if (verb == "disk") {
    disk(rest);
  } else if (verb == "hand_over") {
    if (are_servers(rest)) cluster_->step(rest.front(), raft::HandOver{});
  } else if (verb == "crash" || verb == "start" || verb == "wipe") {
    if (!are_servers(rest)) return true;
    for (const std::string& id : rest) {
      if (cluster_->is_up(id) != (verb == "crash"))
        error(id + (verb == "crash" ? " is down" : " is up"));
      else if (verb == "crash")
        cluster_->crash(id);
      else if (verb == "start")
        cluster_->start(id);
      else
        cluster_->wipe(id);
    }
  } else {
    return false;
  }
  return true;
}

void ScenarioPlayer::propose(const Words& rest) {
  if (rest.size() < 2) return error("propose SERVER BODY...");
  if (!are_servers({rest.front()})) return;
  if (!cluster_->propose(rest.front(), Words(rest.begin() + 1, rest.end())))
    error(rest.front() + " does not lead");
}

void ScenarioPlayer::read(const Words& rest) {
  const bool to_end = rest.size() == 2 && rest[1] == "end";
  if (rest.size() != 1 && !to_end) return error("read SERVER [end]");
  if (are_servers({rest.front()})) cluster_->read(rest.front(), ++reads_, to_end);
}

void ScenarioPlayer::disk(const Words& rest) {
  if (rest.size() != 2 || !are_servers({rest.front()}))
    return error("disk SERVER hold|release|step");
  if (rest[1] == "hold")
    cluster_->hold_disk(rest[0]);
  else if (rest[1] == "release")
    cluster_->release_disk(rest[0]);
  else if (rest[1] != "step" || !cluster_->complete_write(rest[0]))
    error("nothing to write");
}

// --- the network ---------------------------------------------------------------------------------

// append, 1>2, 1>, >2: in any order, each at most once
Which ScenarioPlayer::which(const Words& words) {
  Which meant;
  for (const std::string& word : words) {
    const std::size_t arrow = word.find('>');
    if (arrow == std::string::npos) {
      meant.kind = kind_named(word);
      if (!meant.kind) error("no kind of message is called " + word);
      continue;
    }
    meant.from = word.substr(0, arrow);
    meant.to = word.substr(arrow + 1);
    for (const std::string& id : {meant.from, meant.to})
      if (!id.empty()) are_servers({id});
  }
  return meant;
}

bool ScenarioPlayer::perform_on_network(const std::string& verb, const Words& rest) {
  using Fate = RaftCluster::Fate;
  if (verb == "deliver")
    rest.empty() ? cluster_->quiesce() : cluster_->deliver(which(rest));
  else if (verb == "hold")
    cluster_->set_fate(Fate::hold, which(rest));
  else if (verb == "drop")
    cluster_->set_fate(Fate::drop, which(rest));
  else if (verb == "double")
    cluster_->set_fate(Fate::twice, which(rest));
  else if (verb == "halve")
    cluster_->set_fate(Fate::every_second, which(rest));
  else if (verb == "release")
    cluster_->clear_fates(which(rest));
  else if (verb == "lose")
    cluster_->discard(which(rest));
  else if (verb == "keep")
    kept_ = cluster_->under_way(which(rest));
  else if (verb == "replay")
    for (const Letter& letter : kept_) cluster_->inject(letter);
  else if (verb == "isolate")
    isolate(rest);
  else if (verb == "heal")
    heal(rest);
  else if (verb == "cut")
    cut(rest);
  else
    return false;
  return true;
}

void ScenarioPlayer::isolate(const Words& rest) {
  if (!are_servers(rest)) return;
  for (const std::string& id : rest) {
    for (const std::string& other : cluster_->ids()) {
      if (std::find(rest.begin(), rest.end(), other) != rest.end()) continue;
      cluster_->cut(id, other);
      cluster_->cut(other, id);
    }
  }
}

void ScenarioPlayer::heal(const Words& rest) {
  const Words healed = rest.empty() ? cluster_->ids() : rest;
  if (!are_servers(healed)) return;
  for (const std::string& id : healed) cluster_->heal(id);
}

// cut 1 2: both ways; cut 1>2: one way
void ScenarioPlayer::cut(const Words& rest) {
  if (rest.size() == 2 && are_servers(rest)) {
    cluster_->cut(rest[0], rest[1]);
    cluster_->cut(rest[1], rest[0]);
    return;
  }
  const Words ends = rest.size() == 1 ? split(rest[0], '>') : Words{};
  if (ends.size() != 2) return error("cut A B, or cut A>B");
  if (are_servers(ends)) cluster_->cut(ends[0], ends[1]);
}

// --- what is seen --------------------------------------------------------------------------------

bool ScenarioPlayer::show(const std::string& verb, const Words& rest) {
  if (verb == "show" || verb == "log") {
    const Words shown = rest.empty() ? cluster_->ids() : rest;
    if (!are_servers(shown)) return true;
    for (const std::string& id : shown) lines_.push_back(verb == "log" ? log(id) : state(id));
  } else if (verb == "count") {
    lines_.push_back("sent " + join(rest) + ": " + std::to_string(cluster_->sent(which(rest))));
  } else if (verb == "expect") {
    expect(rest);
  } else {
    return false;
  }
  return true;
}

void ScenarioPlayer::expect(const Words& rest) {
  if (rest.size() < 2 || !are_servers({rest.front()})) return error("expect SERVER WORD...");
  const std::string line = state(rest.front());
  const Words have = words_of(line);
  for (auto word = rest.begin() + 1; word != rest.end(); ++word)
    if (std::find(have.begin(), have.end(), *word) == have.end()) return error("it is: " + line);
}

std::string ScenarioPlayer::state(const std::string& id) const {
  if (!cluster_->is_up(id)) return id + " down";
  const raft::Raft& raft = cluster_->at(id);
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
  Words reads;
  for (const raft::ReadState& read : cluster_->reads(id))
    reads.push_back(std::to_string(read.id) + ":" +
                    (read.confirmed ? std::to_string(raw(read.index)) : "no"));
  return reads.empty() ? line : line + " reads=[" + join(reads) + "]";
}

// term:body of each entry, as the server has written it, durable or not
std::string ScenarioPlayer::log(const std::string& id) const {
  std::string line = id + " log";
  for (const raft::Entry& entry : cluster_->disk(id).written()) {
    const std::string body = entry.kind == EntryKind::command ? entry.body
                             : entry.kind == EntryKind::noop  ? "noop"
                                                              : "configuration";
    line += " " + std::to_string(raw(entry.term)) + ":" + body;
  }
  return line;
}

}  // namespace zatt::test
