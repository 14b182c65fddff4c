// SPDX-License-Identifier: AGPL-3.0-or-later
// Plays a scenario: a text that says what happens to a cluster, and then how it stands.
//
// The language is in README.md beside this file. Here is what all worlds have in common; what is
// said in one of them alone is in core_world.h and node_world.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenario/script.h"
#include "tests/scenario/world.h"

namespace zatt::test {

class ScenarioPlayer {
 public:
  explicit ScenarioPlayer(bool trace = false) : trace_(trace) {}

  // The lines of the outcome: what the script shows, then the state of the servers `at_end`, or of
  // all where it is empty. Where the world is one of whole nodes: what the script shows.
  std::vector<std::string> play(const std::string& script, const std::vector<std::string>& at_end);

 private:
  void perform(const Words& words);
  bool perform_in_time(const std::string& verb, const Words& rest);
  bool perform_on_servers(const std::string& verb, const Words& rest);
  bool perform_on_network(const std::string& verb, const Words& rest);
  bool show(const std::string& verb, const Words& rest);

  void make_world(const Words& words);
  void come_and_go(const std::string& verb, const Words& ids);
  void add_rule(Fate fate, Words rest);
  void isolate(const Words& rest);
  void heal(const Words& rest);
  void cut(const Words& rest);

  void expect(Words condition);
  void watch(const Words& condition, bool wanted, std::uint64_t until_us);
  std::string why_not(const Words& condition);
  std::string why_no_one_leads() const;
  std::string why_not_level() const;
  Words counters() const;
  std::uint64_t highest_term() const;
  void mark();
  std::string state(const std::string& id) const;

  const bool trace_;
  Script script_;
  std::unique_ptr<World> world_;
  std::uint64_t terms_led_before_ = 0;
  std::uint64_t highest_term_before_ = 0;
};

}  // namespace zatt::test
