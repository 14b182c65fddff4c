// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/core_world.h"

#include <cstdio>

#include "tests/sim/describe.h"

namespace zatt::test {

std::unique_ptr<World> CoreWorld::make(Script& script, const Words& rest, bool trace) {
  Words voters, learners;
  RaftCluster::Options options;
  Words* kind = &voters;
  for (const std::string& word : rest) {
    const Option option = option_in(word);
    std::uint64_t* number = option.name == "append_bytes"      ? &options.max_append_bytes
                            : option.name == "in_flight_bytes" ? &options.max_in_flight_bytes
                            : option.name == "log_bytes"       ? &options.max_log_bytes
                                                               : nullptr;
    if (word == "learners") {
      kind = &learners;
    } else if (number != nullptr && option.number()) {
      *number = *option.number();
    } else if (word.find('=') != std::string::npos) {
      script.error("unknown option " + option.name);
      return nullptr;
    } else {
      kind->push_back(word);
    }
  }
  if (!voters.empty()) return std::make_unique<CoreWorld>(script, voters, learners, options, trace);
  script.error("which servers?");
  return nullptr;
}

CoreWorld::CoreWorld(Script& script, const Words& voters, const Words& learners,
                     const RaftCluster::Options& options, bool trace)
    : script_(script), cluster_(voters, learners, options) {
  if (trace)
    cluster_.on_delivery = [](const Letter& letter) {
      const raft::Message message = letter.open();
      std::printf("  %s to %s: %s\n", letter.from.id.c_str(), letter.to.id.c_str(),
                  sim::describe(message).c_str());
    };
}

bool CoreWorld::run_one(std::uint64_t until_us) {
  if (cluster_.now_us() >= until_us) return false;
  cluster_.run(1000);
  return true;
}

void CoreWorld::deliver(const Which& which) {
  which == Which{} ? cluster_.quiesce() : cluster_.deliver(which);
}

bool CoreWorld::perform(const Words& words) {
  const std::string& verb = words.front();
  const Words rest(words.begin() + 1, words.end());
  if (verb == "settle" && rest.empty()) {
    cluster_.settle();
  } else if (verb == "pass") {
    const auto ms = rest.size() == 1 ? number_in(rest[0]) : std::nullopt;
    ms ? cluster_.pass(*ms * 1000) : script_.error("how many ms?");
  } else if (verb == "timeout") {
    if (!script_.are_servers(rest)) return true;
    for (const std::string& id : rest) cluster_.fire(id);
  } else if (verb == "keep") {
    kept_ = cluster_.under_way(script_.which(rest));
  } else if (verb == "replay" && rest.empty()) {
    for (const Letter& letter : kept_) cluster_.inject(letter);
  } else {
    return perform_on_servers(verb, rest);
  }
  return true;
}

bool CoreWorld::perform_on_servers(const std::string& verb, const Words& rest) {
  if (verb == "propose") {
    propose(rest);
  } else if (verb == "read") {
    read(rest);
  } else if (verb == "disk") {
    disk(rest);
  } else if (verb == "hand_over") {
    if (script_.are_servers(rest))
      cluster_.step(rest.front(),
                    raft::TransferLeadership{cluster_.at(rest.front()).current_term()});
  } else if (verb == "log") {
    const Words shown = rest.empty() ? cluster_.ids() : rest;
    if (!script_.are_servers(shown)) return true;
    for (const std::string& id : shown) script_.show(log(id));
  } else {
    return false;
  }
  return true;
}

void CoreWorld::propose(const Words& rest) {
  if (rest.size() < 2) return script_.error("propose SERVER BODY...");
  if (!script_.are_servers({rest.front()})) return;
  if (!cluster_.propose(rest.front(), Words(rest.begin() + 1, rest.end())))
    script_.error(rest.front() + " does not lead");
}

void CoreWorld::read(const Words& rest) {
  const bool to_end = rest.size() == 2 && rest[1] == "end";
  if (rest.size() != 1 && !to_end) return script_.error("read SERVER [end]");
  if (script_.are_servers({rest.front()})) cluster_.read(rest.front(), ++reads_, to_end);
}

void CoreWorld::disk(const Words& rest) {
  if (rest.size() != 2) return script_.error("disk SERVER hold|release|step");
  if (!script_.are_servers({rest.front()})) return;
  if (rest[1] == "hold")
    cluster_.hold_disk(rest[0]);
  else if (rest[1] == "release")
    cluster_.release_disk(rest[0]);
  else if (rest[1] != "step" || !cluster_.complete_write(rest[0]))
    script_.error("nothing to write");
}

std::string CoreWorld::more_about(const std::string& id) const {
  Words reads;
  for (const raft::ReadState& read : cluster_.reads(id))
    reads.push_back(std::to_string(read.id) + ":" +
                    (read.confirmed ? std::to_string(raw(read.index)) : "no"));
  return reads.empty() ? "" : " reads=[" + join(reads) + "]";
}

// term:body of each entry, as the server has written it, durable or not
std::string CoreWorld::log(const std::string& id) const {
  std::string line = id + " log";
  for (const Entry& entry : cluster_.disk(id).written()) {
    const std::string body = entry.kind == EntryKind::command ? entry.body
                             : entry.kind == EntryKind::noop  ? "noop"
                                                              : "configuration";
    line += " " + std::to_string(raw(entry.term)) + ":" + body;
  }
  return line;
}

}  // namespace zatt::test
