// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/settings.h"

#include "base/prng.h"

namespace zatt::sim {
namespace {

// Off in about half of the seeds: a fault that is always there hides what only its absence shows.
template <class T>
void maybe(Prng& prng, T& field, std::uint64_t low, std::uint64_t high) {
  const bool on = prng.chance(1, 2);
  const std::uint64_t value = prng.between(low, high);
  if (on) field = static_cast<T>(value);
}

}  // namespace

Settings draw_settings(std::uint64_t seed) {
  Prng prng(seed ^ 0x5e77165);
  Settings s;
  s.seed = seed;
  const std::uint64_t shape = prng.below(20);
  s.nodes = shape == 0 ? 1 : shape == 1 ? 2 : shape == 2 ? 4 : shape < 13 ? 3 : 5;
  s.election_timeout_ms = prng.between(100, 600);
  maybe(prng, s.skew_percent, 1, 300);
  s.segment_bytes = prng.between(4, 32) * 4096;
  // Small windows and a short memory: what is rare with large ones is common here.
  maybe(prng, s.max_append_bytes, 1, 2'000);
  maybe(prng, s.max_in_flight_bytes, 1, 10'000);
  maybe(prng, s.max_log_bytes, 1, 4'000);
  s.delay_min_us = prng.between(20, 2'000);
  s.delay_mean_us = s.delay_min_us + prng.between(50, 10'000);
  maybe(prng, s.loss_permille, 1, 150);
  maybe(prng, s.double_permille, 1, 150);
  maybe(prng, s.reorder_permille, 1, 200);
  maybe(prng, s.reset_permille, 1, 5);
  maybe(prng, s.partition_every_us, 200'000, 2'000'000);
  s.partition_mean_us = prng.between(200'000, 2'000'000);
  maybe(prng, s.crash_every_us, 300'000, 3'000'000);
  s.power_loss_percent = static_cast<std::uint32_t>(prng.between(0, 100));
  maybe(prng, s.crash_all_percent, 5, 40);
  maybe(prng, s.crash_in_recovery_percent, 5, 40);
  s.down_mean_us = prng.between(50'000, 1'500'000);
  maybe(prng, s.pause_every_us, 500'000, 4'000'000);
  if (s.nodes > 2 && prng.chance(1, 8))
    s.wipes = static_cast<std::uint32_t>(prng.between(1, (s.nodes - 1) / 2));
  maybe(prng, s.drift_ppm, 1, 500);
  s.disk_mean_us = prng.chance(1, 2) ? prng.between(20, 1'000) : prng.between(1'000, 20'000);
  maybe(prng, s.stall_permille, 1, 30);
  if (prng.chance(1, 4)) s.sync_failure_permyriad = static_cast<std::uint32_t>(prng.between(1, 30));
  s.clients = static_cast<std::uint32_t>(prng.between(1, 10));
  s.keys = static_cast<std::uint32_t>(prng.chance(1, 2) ? 1 : prng.between(2, 8));
  s.depth = static_cast<std::uint32_t>(prng.between(1, 8));
  s.think_mean_us = prng.chance(1, 2) ? prng.between(1'000, 10'000) : prng.between(10'000, 50'000);
  s.timeout_ms = prng.chance(1, 2) ? prng.between(50, 300) : prng.between(300, 3'000);
  if (prng.chance(1, 6)) s.large_percent = static_cast<std::uint32_t>(prng.between(1, 20));
  return s;
}

std::string to_string(const Settings& s) {
  const auto field = [](const char* name, std::uint64_t value) {
    return std::string(" ") + name + "=" + std::to_string(value);
  };
  return "nodes=" + std::to_string(s.nodes) + field("election_ms", s.election_timeout_ms) +
         field("skew", s.skew_percent) + field("segment", s.segment_bytes) +
         field("append", s.max_append_bytes) + field("in_flight", s.max_in_flight_bytes) +
         field("log", s.max_log_bytes) + field("delay_us", s.delay_mean_us) +
         field("loss", s.loss_permille) + field("double", s.double_permille) +
         field("reorder", s.reorder_permille) + field("reset", s.reset_permille) +
         field("partition_us", s.partition_every_us) + field("crash_us", s.crash_every_us) +
         field("power_loss", s.power_loss_percent) + field("crash_all", s.crash_all_percent) +
         field("in_recovery", s.crash_in_recovery_percent) + field("pause_us", s.pause_every_us) +
         field("wipes", s.wipes) + field("disk_us", s.disk_mean_us) +
         field("stall", s.stall_permille) + field("sync_failure", s.sync_failure_permyriad) +
         field("clients", s.clients) + field("keys", s.keys) + field("depth", s.depth) +
         field("large", s.large_percent);
}

}  // namespace zatt::sim
