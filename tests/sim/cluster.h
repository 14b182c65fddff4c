// SPDX-License-Identifier: AGPL-3.0-or-later
// A simulated cluster: whole nodes, node/ and all below it as shipped, on machines that fail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "tests/sim/judge.h"
#include "tests/sim/machine.h"
#include "tests/sim/network.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/settings.h"
#include "tests/sim/workload.h"

namespace zatt::sim {

class Cluster final : public Endpoints, public Lines {
 public:
  explicit Cluster(const Settings& settings, bool verbose = false);

  // The whole seed: faults, then all well again, then the end's checks. Nothing: all held.
  std::optional<std::string> run();

  std::uint64_t trace_hash() const { return scheduler_.trace_hash(); }
  std::string summary() const;

  // Endpoints.
  std::uint64_t process(NodeNumber node) const override { return machines_[node].process; }
  void deliver_link_up(NodeNumber node, node::LinkId link, bool dialed, NodeNumber peer) override;
  void deliver_frame(NodeNumber node, node::LinkId link, const std::string& frame) override;
  void deliver_link_down(NodeNumber node, node::LinkId link) override;

  // Lines.
  bool open(NodeNumber node, node::ClientId connection) override;
  void send(NodeNumber node, node::ClientId connection, std::string line) override;
  void close(NodeNumber node, node::ClientId connection) override;

 private:
  friend class MachineEnv;

  // processes.cc
  void start_process(NodeNumber number);
  void end_process(NodeNumber number);
  void crash(NodeNumber number);
  void power_loss(NodeNumber number);
  void start_later(NodeNumber number, std::uint64_t after_us);
  void enter(NodeNumber number, std::uint64_t process, std::function<void(node::Node&)> what);
  void go_on(NodeNumber number, std::uint64_t process);
  void schedule_wake(NodeNumber number);
  void submit(NodeNumber number, storage::Batch batch);
  void finish_batch(NodeNumber number, std::uint64_t process, std::uint64_t batch_number);
  std::uint64_t node_time(NodeNumber number, std::uint64_t us) const;
  std::uint64_t true_time(NodeNumber number, std::uint64_t node_us) const;
  void hand_lines(NodeNumber number, node::ClientId connection);
  void log(NodeNumber number, std::string_view line);

  // cluster.cc
  void schedule_faults();
  void crash_someone();
  void partition_someone();
  void pause_someone();
  void wipe_someone();
  void make_well();
  bool is_well() const;
  std::uint64_t around(std::uint64_t mean_us);

  const Settings settings_;
  const bool verbose_;
  Scheduler scheduler_;
  Prng prng_;
  std::vector<Machine> machines_;
  Judge judge_;
  Network network_;
  Workload workload_;
  std::uint64_t last_process_ = 0;
  std::uint32_t wiped_ = 0;
  bool faulty_ = true;
};

}  // namespace zatt::sim
