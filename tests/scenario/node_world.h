// SPDX-License-Identifier: AGPL-3.0-or-later
// A world of whole nodes, as shipped, in simulated time: the simulator of tests/sim with a script
// where a seed's faults are, and its checks after every event.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/scenario/scripted_clients.h"
#include "tests/scenario/world.h"
#include "tests/sim/cluster.h"

namespace zatt::test {

class NodeWorld final : public World {
 public:
  // nodes 3 election_ms=300: founded, connected, nobody leads. Null where that is not understood.
  static std::unique_ptr<World> make(Script& script, const Words& rest, bool trace);
  NodeWorld(Script& script, const sim::Settings& settings, const Words& timeouts, bool trace);

  Words ids() const override;
  bool is_up(const std::string& id) const override { return machine(id).node != nullptr; }
  const raft::Raft& raft(const std::string& id) const override { return machine(id).node->raft(); }
  std::uint64_t terms_led() const override { return cluster_.checker().terms_led(); }
  std::vector<std::string> violations() override;

  std::uint64_t now_us() const override { return cluster_.now_us(); }
  bool run_one(std::uint64_t until_us) override;
  bool elect(const std::string& id) override;

  void crash(const std::string& id) override { cluster_.kill(number_of(id)); }
  void start(const std::string& id) override { cluster_.start(number_of(id)); }
  void wipe(const std::string& id) override { cluster_.empty_directory(number_of(id)); }

  Rules& rules() override { return rules_; }
  void on_rules_cleared(bool all) override;
  void deliver(const Which& which) override;
  void lose(const Which& which) override;
  std::uint64_t sent(const Which& which) const override;
  void cut(const std::string& from, const std::string& to) override;
  void mend(const std::string& a, const std::string& b) override;

  bool perform(const Words& words) override;
  std::string more_about(const std::string& id) const override;
  std::optional<std::string> why_not(const Words& condition) override;
  void on_expected(const Words& condition) override;
  Words counters() const override;
  void restart_counters() override;
  void on_end() override;
  bool shows_states_at_end() const override { return false; }

 private:
  static sim::NodeNumber number_of(const std::string& id);
  const sim::Machine& machine(const std::string& id) const {
    return cluster_.machine(number_of(id));
  }
  bool is_founded() const;
  bool all_follow(sim::NodeNumber leader) const;
  bool run_until(std::uint64_t until_us, const std::function<bool()>& is_so);
  sim::Network::Fate fate_of(sim::NodeNumber from, sim::NodeNumber to, const sim::Frame& frame);
  bool is_silenced(sim::NodeNumber from, const sim::Frame& frame) const;
  sim::Network::Choose choose(const Which& which) const;

  bool perform_on_machine(const std::string& verb, const Words& rest);
  void disk(const std::string& id, const Words& rest);
  void power_loss(const Words& rest);
  void clock(const Words& rest);
  void reset(const Words& rest);
  void load(const Words& rest);

  struct Sent {
    Kind kind;
    sim::NodeNumber from;
    sim::NodeNumber to;
    Term term;
    auto operator<=>(const Sent&) const = default;
  };
  Script& script_;
  sim::Cluster cluster_;
  ScriptedClients scripted_clients_;
  Rules rules_;
  std::map<Sent, std::uint64_t> sent_;
  bool began_ = false;
  std::optional<sim::NodeNumber> favourite_;  // to be elected
  std::size_t counted_from_ = 0;              // of the workload's ops
  bool is_loaded_ = false;
  bool violation_told_ = false;
};

}  // namespace zatt::test
