// SPDX-License-Identifier: AGPL-3.0-or-later
// Plays a scenario: a text that says what happens to a cluster, and then how it stands.
//
// The language is in README.md beside this file. What goes wrong while playing (an unknown word, a
// proposal to a server that does not lead, a broken invariant) is a line of the outcome that begins
// with `error:`, so that no scenario can expect it.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/raft_cluster.h"

namespace zatt::test {

class ScenarioPlayer {
 public:
  // The lines of the outcome: what the script shows, then the state of the servers `at_end`, or of
  // all where it is empty.
  std::vector<std::string> play(const std::string& script, const std::vector<std::string>& at_end);

 private:
  using Words = std::vector<std::string>;

  void perform(const Words& words);
  bool perform_on_network(const std::string& verb, const Words& rest);
  bool perform_on_servers(const std::string& verb, const Words& rest);
  bool perform_in_time(const std::string& verb, const Words& rest);
  bool show(const std::string& verb, const Words& rest);

  void make_cluster(const Words& rest);
  void propose(const Words& rest);
  void isolate(const Words& rest);
  void heal(const Words& rest);
  void cut(const Words& rest);
  void disk(const Words& rest);
  void read(const Words& rest);
  void expect(const Words& rest);

  bool are_servers(const Words& words);  // says what is wrong where not
  Which which(const Words& words);
  std::string state(const std::string& id) const;
  std::string log(const std::string& id) const;
  void error(const std::string& what);

  std::unique_ptr<RaftCluster> cluster_;
  std::string statement_;
  std::deque<Letter> kept_;
  std::uint64_t reads_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace zatt::test
