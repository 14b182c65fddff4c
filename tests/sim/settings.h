// SPDX-License-Identifier: AGPL-3.0-or-later
// What a seed decides before anything happens: the cluster's shape, the faults, the load.
//
// Every class of faults is off in about half of the seeds, for a fault that is always there hides
// what only its absence shows; a tenth of the seeds have all of them, a tenth only one.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/instrumentation.h"

namespace zatt::sim {

enum class Fault : std::uint8_t {
  loss,
  replay,  // frames come again, up to a minute later
  reorder,
  clog,      // nothing passes for a while, then all of it
  capacity,  // what a link can't hold is lost
  reset,
  partition,
  crash,
  power_loss,  // of the crashes; without it all are kill -9
  recovery,    // crashes while a node starts
  pause,       // a process stands still
  suspend,     // a machine does, its clock too
  drift,
  wipe,
  stall,
  hang,  // a disk that never answers
  sync_failure,
  io_error,
  full,
  rot,
  inject,  // what the code may do and seldom does: base/instrumentation.h
  slow_reader,
  large,      // values of up to 1 MiB
  late,       // connections are read late, from the hello on
  stray,      // frames of earlier processes come over later connections
  bootstrap,  // crashes, and emptied directories, while a cluster comes to be
  slow_disk,  // bytes and syncs take their time
  slow_link,  // and bytes between nodes
  slow_cpu,   // and what a node does
  load,       // in the end: as much as clients may ask; only by name
  count_
};
const char* name_of(Fault fault);
std::optional<Fault> fault_named(std::string_view name);
using Faults = std::bitset<static_cast<std::size_t>(Fault::count_)>;

enum class Length : std::uint8_t {
  brief,     // 12 s of faults, 20 s in all
  standard,  // 120 s of faults, and 60 s
};

struct Settings {
  std::uint64_t seed = 0;
  Faults on;
  bool beyond = false;      // more than is promised for: nothing false may be said, that is all
  bool restarts = true;     // whoever has stopped by itself, or could not start, is started again
  bool split_core = false;  // in the end a bare majority is well, the others stay as they are
  std::uint32_t nodes = 3;
  std::uint64_t election_timeout_ms = 300;
  std::uint32_t skew_percent = 0;  // a node's timeout is up to this much longer
  std::uint64_t segment_bytes = 64 << 10;
  std::uint64_t max_append_bytes = 256 << 10;
  std::uint64_t max_in_flight_bytes = 1 << 20;
  std::uint64_t max_log_bytes = 4 << 20;
  bool own_limits = false;  // a node's segments and log are between half as large and twice
  std::uint64_t faults_us = 12'000'000;  // how long things go wrong
  std::uint64_t quiet_us = 2'000'000;    // how long all must stay well in the end

  // The network.
  std::uint64_t delay_min_us = 100, delay_mean_us = 500;
  std::uint32_t loss_permille = 0, replay_permille = 0, reorder_permille = 0, reset_permyriad = 0;
  std::uint64_t capacity = 0;       // frames under way in one direction; 0: any number
  std::uint64_t clog_every_us = 0;  // on average; 0: never
  std::uint64_t partition_every_us = 0;
  std::uint64_t partition_mean_us = 1'000'000;
  std::uint64_t link_bytes_per_ms = 0;  // in one direction; 0: any number
  std::uint64_t cut_patience_us =
      5'000'000;                     // then a connection into a cut ends: as server/ has it
  std::uint32_t late_permille = 0;   // of connections
  std::uint64_t late_every_us = 0;   // and one more
  std::uint32_t stray_permille = 0;  // of frames: they are remembered

  // The machines.
  std::uint64_t crash_every_us = 0;  // over all nodes
  std::uint32_t power_loss_percent = 0;
  std::uint32_t crash_all_percent = 0;
  std::uint32_t crash_in_recovery_percent = 0;
  std::uint64_t down_mean_us = 500'000;
  std::uint64_t pause_every_us = 0, pause_mean_us = 0;
  std::uint64_t suspend_every_us = 0;
  std::uint32_t wipes = 0;
  std::uint64_t bootstrap_every_us = 0;  // a crash or a wipe, until somebody has acted
  std::uint64_t drift_ppm = 0;

  // What a node computes: for each request, command, answer and frame, and each byte of them.
  std::uint64_t cpu_item_us = 0, cpu_byte_ns = 0;

  // The disks.
  std::uint64_t disk_mean_us = 300;
  // A batch takes what its syncs and bytes take, if there are any of these; else the mean above
  // says how long it takes, whatever is in it.
  std::uint64_t sync_us = 0, disk_bytes_per_ms = 0;
  std::uint32_t stall_permyriad = 0;
  std::uint64_t stall_most_us = 3'000'000;
  std::uint64_t hang_every_us = 0;
  std::uint32_t sync_failure_permyriad = 0;  // of batches
  std::uint32_t io_error_permyriad = 0;
  std::uint64_t full_every_us = 0;
  std::uint64_t rot_every_us = 0;

  // The code: how often each turn is taken, of a thousand times that it could be.
  std::uint32_t fault_point_permille[static_cast<std::size_t>(FaultPoint::count)] = {};

  std::uint32_t short_turn_permille = 0;  // of the times a node asks whether its turn is over

  // The clients.
  std::uint32_t clients = 4;
  std::uint32_t keys = 4;
  std::uint32_t depth = 4;  // requests in flight, a client
  std::uint64_t think_mean_us = 20'000;
  std::uint64_t idle_every_us = 0;  // all of them are silent for a while
  std::uint64_t timeout_ms = 1500;
  std::uint64_t read_mean_us = 0;  // a slow client takes this long for 1 KiB
  bool clients_wander = false;  // all of them go where the leader is; else some stay where they are
  std::uint32_t large_permille = 0;
  std::uint64_t large_bytes = 1 << 20;
  // What they ask in the end, when nothing else goes wrong, and for how long.
  enum class Load : std::uint8_t { none, reads, failing, documents, values, many };
  Load load = Load::none;
  std::uint64_t load_bytes = 0;  // of a value
  std::uint64_t load_us = 10'000'000;
  // Where there are any, the nodes replicate a machine of their hosts' own, and nobody else asks.
  std::uint32_t proposers = 0;
  bool has_proposers() const { return proposers > 0; }
};

// Which seeds, beside their number: part of what replays one.
struct Choice {
  Length length = Length::brief;
  std::optional<Faults> only;  // no others
  Faults without;
  std::optional<bool> beyond;
  std::optional<std::uint32_t> nodes;
  std::optional<bool> own_machine;   // a host's, or the dictionary
  std::uint64_t requests_per_s = 0;  // 0: as drawn; for measuring speed
  std::string to_flags() const;      // as zatt-sim takes them
};

Settings draw_settings(std::uint64_t seed, const Choice& choice);
std::string to_string(const Settings& settings);

}  // namespace zatt::sim
