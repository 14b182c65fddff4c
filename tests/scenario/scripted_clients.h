// SPDX-License-Identifier: AGPL-3.0-or-later
// Clients with names, each with one connection to one node, who say exactly what the script says.
//
// Answers come in the order of the questions (docs/PROTOCOL.md), and are expected in that order.
// What was asked and answered is noted down for whoever asks whether one dictionary could have said
// it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/scenario/script.h"
#include "tests/sim/cluster.h"
#include "tests/sim/history.h"

namespace zatt::test {

class ScriptedClients {
 public:
  ScriptedClients(Script& script, sim::Cluster& cluster);

  // client c at 1; c set k 1; c leaves. False: nobody is called so.
  bool perform(const Words& words);
  bool knows(const std::string& name) const { return by_name_.contains(name); }
  // [c, ok, value=1]: what its next answer is instead.
  std::string why_not(const Words& condition) const;
  void on_expected(const Words& condition);
  std::vector<sim::Op> ops() const;

 private:
  struct Request {
    std::string line;
    std::optional<sim::Op> op;    // nothing: said in words of the script's own
    std::optional<Words> answer;  // ok value=1 rev=4
  };
  struct ScriptedClient {
    sim::NodeNumber node = 0;
    node::ClientId connection{};  // 0: it has left, or its node has
    std::vector<Request> requests;
    std::size_t answered = 0;
    std::size_t expected = 0;  // the next one that the script asks about
  };
  void arrive(const Words& words);
  void leave(ScriptedClient& speaker);
  void say(ScriptedClient& speaker, Request request);
  bool ask(ScriptedClient& speaker, Words words);
  void hear(node::ClientId connection, std::optional<std::string_view> line);
  Script& script_;
  sim::Cluster& cluster_;
  std::map<std::string, ScriptedClient> by_name_;
  std::map<node::ClientId, std::string> by_connection_;
  node::ClientId last_connection_ = sim::Cluster::first_own_connection;
  std::uint64_t last_answer_ = 0;
};

}  // namespace zatt::test
