// SPDX-License-Identifier: AGPL-3.0-or-later
// The bad day of a seed: who fails when, in which way.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "tests/sim/cluster.h"

namespace zatt::sim {

class FaultSchedule {
 public:
  FaultSchedule(Cluster& cluster, const Settings& settings);

  void begin();
  bool has_wiped() const { return wiped_ > 0 || wiped_in_bootstrap_ > 0; }
  // No more faults; what is broken stays so until somebody mends it.
  void end() { ended_ = true; }
  // Those outside the core stay broken for good, each in a way of its own; none of them can lead.
  void break_for_good(const std::vector<NodeNumber>& nodes, const std::vector<NodeNumber>& core);

 private:
  void again(std::uint64_t mean_us, void (FaultSchedule::*what)());
  std::uint64_t around(std::uint64_t mean_us) { return prng_.below(2 * mean_us) + 1; }
  NodeNumber any_node() { return static_cast<NodeNumber>(prng_.below(cluster_.size())); }
  std::optional<NodeNumber> leader() const;
  NodeNumber leader_or_any();
  std::uint64_t left_us() const;

  void crash_someone();
  void crash(NodeNumber number);
  void partition_someone();
  void clog_someone();
  void replace_someones_link();
  void pause_someone();
  void suspend_someone();
  void wipe_someone();
  void trouble_bootstrap();
  NodeNumber writing_or_any();
  bool has_acted() const;
  std::optional<NodeNumber> any_able();
  void hang_someone();
  void fill_someone();
  void rot_someone();
  void damage_segment(NodeNumber number);

  void cut_both(NodeNumber a, NodeNumber b);
  void cut_shape(std::uint64_t shape);

  Cluster& cluster_;
  const Settings& settings_;
  Prng prng_;
  std::uint64_t end_us_ = 0;
  std::uint32_t wiped_ = 0;
  std::uint32_t wiped_in_bootstrap_ = 0;
  bool ended_ = false;
};

}  // namespace zatt::sim
