// SPDX-License-Identifier: AGPL-3.0-or-later
// A world of consensus cores alone: nothing happens by itself but in `run`, and nothing is random.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "tests/scenario/world.h"
#include "tests/support/raft_cluster.h"

namespace zatt::test {

class CoreWorld final : public World {
 public:
  // cluster 1 2 3 learners 4 append_bytes=1. Null where that is not understood.
  static std::unique_ptr<World> make(Script& script, const Words& rest, bool trace);
  CoreWorld(Script& script, const Words& voters, const Words& learners,
            const RaftCluster::Options& options, bool trace);

  Words ids() const override { return cluster_.ids(); }
  bool is_up(const std::string& id) const override { return cluster_.is_up(id); }
  const raft::Raft& raft(const std::string& id) const override { return cluster_.at(id); }
  std::uint64_t terms_led() const override { return cluster_.terms_led(); }
  std::vector<std::string> violations() override { return cluster_.violations(); }

  std::uint64_t now_us() const override { return cluster_.now_us(); }
  bool run_one(std::uint64_t until_us) override;
  bool elect(const std::string& id) override { return cluster_.elect(id); }

  void crash(const std::string& id) override { cluster_.crash(id); }
  void start(const std::string& id) override { cluster_.start(id); }
  void wipe(const std::string& id) override { cluster_.wipe(id); }

  Rules& rules() override { return cluster_.rules(); }
  void on_rules_cleared(bool) override {}
  void deliver(const Which& which) override;
  void lose(const Which& which) override { cluster_.discard(which); }
  std::uint64_t sent(const Which& which) const override { return cluster_.sent(which); }
  void cut(const std::string& from, const std::string& to) override { cluster_.cut(from, to); }
  void mend(const std::string& a, const std::string& b) override { cluster_.mend(a, b); }

  bool perform(const Words& words) override;
  std::string more_about(const std::string& id) const override;
  std::optional<std::string> why_not(const Words&) override { return std::nullopt; }
  void on_expected(const Words&) override {}
  Words counters() const override { return {}; }
  void restart_counters() override { cluster_.restart_counters(); }
  void on_end() override {}
  bool shows_states_at_end() const override { return true; }

 private:
  bool perform_on_servers(const std::string& verb, const Words& rest);
  void propose(const Words& rest);
  void read(const Words& rest);
  void disk(const Words& rest);
  std::string log(const std::string& id) const;

  Script& script_;
  RaftCluster cluster_;
  std::deque<Letter> kept_;
  std::uint64_t reads_ = 0;
};

}  // namespace zatt::test
