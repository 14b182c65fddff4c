// SPDX-License-Identifier: AGPL-3.0-or-later
// What a seed decides before anything happens: the cluster's shape, the faults, the load.
#pragma once

#include <cstdint>
#include <string>

namespace zatt::sim {

struct Settings {
  std::uint64_t seed = 0;
  std::uint32_t nodes = 3;
  std::uint64_t election_timeout_ms = 300;
  std::uint32_t skew_percent = 0;  // a node's timeout is up to this much longer
  std::uint64_t segment_bytes = 64 << 10;
  std::uint64_t max_append_bytes = 256 << 10;
  std::uint64_t max_in_flight_bytes = 1 << 20;
  std::uint64_t max_log_bytes = 4 << 20;
  std::uint64_t faults_us = 8'000'000;   // how long things go wrong
  std::uint64_t settle_us = 12'000'000;  // and how long all may take to be well again

  // The network.
  std::uint64_t delay_min_us = 100, delay_mean_us = 500;
  std::uint32_t loss_permille = 0, double_permille = 0, reorder_permille = 0, reset_permille = 0;
  std::uint64_t partition_every_us = 0;  // on average; 0: never
  std::uint64_t partition_mean_us = 1'000'000;

  // The machines.
  std::uint64_t crash_every_us = 0;       // on average, over all nodes; 0: never
  std::uint32_t power_loss_percent = 50;  // of the crashes; the others are kill -9
  std::uint32_t crash_all_percent = 10;   // of the crashes
  std::uint32_t crash_in_recovery_percent = 0;
  std::uint64_t down_mean_us = 500'000;
  std::uint64_t pause_every_us = 0;  // a process stands still for a while
  std::uint32_t wipes = 0;           // directories emptied, at most a minority
  std::int64_t drift_ppm = 0;        // clocks run up to this fast or slow

  // The disks.
  std::uint64_t disk_mean_us = 300;
  std::uint32_t stall_permille = 0;  // of the batches take up to 3 s
  std::uint32_t sync_failure_permyriad = 0;

  // The clients.
  std::uint32_t clients = 4;
  std::uint32_t keys = 4;
  std::uint32_t depth = 4;  // requests in flight, a client
  std::uint64_t think_mean_us = 20'000;
  std::uint64_t timeout_ms = 1500;
  std::uint32_t large_percent = 0;  // values of up to 200 KiB
};

Settings draw_settings(std::uint64_t seed);
std::string to_string(const Settings& settings);

}  // namespace zatt::sim
