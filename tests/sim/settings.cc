// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/sim/settings.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/prng.h"

namespace zatt::sim {
namespace {

constexpr const char* names[] = {
    "loss",  "replay",    "reorder",   "clog",      "capacity", "reset", "partition", "crash",
    "power", "recovery",  "pause",     "suspend",   "drift",    "wipe",  "stall",     "hang",
    "sync",  "io",        "full",      "rot",       "inject",   "slow",  "large",     "late",
    "stray", "bootstrap", "slow_disk", "slow_link", "slow_cpu", "load"};
static_assert(std::size(names) == static_cast<std::size_t>(Fault::count_));

constexpr std::uint64_t usual_batch_bytes = 64 << 10;

// As likely between 1 and 2 as between 100 and 200.
std::uint64_t log_between(Prng& prng, std::uint64_t low, std::uint64_t high) {
  std::uint64_t doublings = 0;
  while ((low << (doublings + 1)) < high) ++doublings;
  const std::uint64_t from = low << prng.below(doublings + 1);
  return prng.between(from, std::min(2 * from, high));
}

// Those by which time passes are drawn apart: to switch them off leaves the day as it is without.
constexpr std::size_t first_of_time = static_cast<std::size_t>(Fault::slow_disk);
// Finds what the code does not bear yet: README.md.
constexpr std::size_t only_by_name = static_cast<std::size_t>(Fault::slow_cpu);

Faults draw_faults(Prng& prng, Prng& of_time) {
  const std::uint64_t kind = prng.below(10);
  const auto one = prng.below(first_of_time);
  Faults on;
  for (std::size_t i = 0; i < first_of_time; ++i) {
    const bool half = prng.chance(1, 2);
    on[i] = kind == 0 || (kind == 1 ? i == one : half);
  }
  const std::uint64_t other = of_time.below(only_by_name);
  for (std::size_t i = first_of_time; i < only_by_name; ++i) {
    const bool half = of_time.chance(1, 2);
    on[i] = kind == 0 || (kind == 1 ? i == other : half);
  }
  if (kind == 1 && other >= first_of_time) on[one] = false;
  return on;
}

// Every number is drawn whether it counts or not: to switch one class off changes nothing else.
class Drawing {
 public:
  Drawing(std::uint64_t seed, const Choice& choice)
      : prng_(seed ^ 0x5e77165), of_time_(seed ^ 0x71e0f) {
    s.seed = seed;
    s.on = draw_faults(prng_, of_time_);
    extreme_ = s.on.count() == only_by_name;
    if (choice.only) s.on = *choice.only;
    s.on &= ~choice.without;
    s.beyond = prng_.chance(1, 12);
    if (choice.beyond) s.beyond = *choice.beyond;
    standard_ = choice.length == Length::standard;
  }

  Settings s;

  void draw_shape(const Choice& choice) {
    static constexpr std::uint32_t shapes[] = {1, 2, 4, 6, 7, 5, 5, 5, 5, 5,
                                               5, 5, 3, 3, 3, 3, 3, 3, 3, 3};
    s.nodes = shapes[prng_.below(std::size(shapes))];
    if (choice.nodes) s.nodes = *choice.nodes;
    s.faults_us = standard_ ? 120'000'000 : 12'000'000;
    s.split_core = prng_.chance(1, 2);
    s.own_limits = true;
    s.election_timeout_ms = log_between(prng_, 100, standard_ ? 2000 : 600);
    s.quiet_us = standard_ ? 40 * 1000 * s.election_timeout_ms : 1'500'000;
    const std::uint64_t skew = log_between(prng_, 1, 300);
    if (prng_.chance(1, 2)) s.skew_percent = static_cast<std::uint32_t>(skew);
    s.segment_bytes = prng_.between(4, 32) * 4096;
    // Small windows and a short memory: what is rare with large ones is common here.
    maybe(s.max_append_bytes, 1, 2'000);
    maybe(s.max_in_flight_bytes, 1, 10'000);
    maybe(s.max_log_bytes, 1, 4'000);
  }

  void draw_network() {
    s.delay_min_us = log_between(prng_, 10, 3'000);
    s.delay_mean_us = s.delay_min_us + log_between(prng_, 50, 20'000);
    set(Fault::loss, s.loss_permille, 1, 300);
    set(Fault::replay, s.replay_permille, 1, 500);
    set(Fault::reorder, s.reorder_permille, 1, 300);
    set(Fault::reset, s.reset_permyriad, 1, 30);
    set(Fault::capacity, s.capacity, 2, 200);
    set(Fault::clog, s.clog_every_us, 100'000, 3'000'000);
    set(Fault::partition, s.partition_every_us, 200'000, standard_ ? 20'000'000 : 3'000'000);
    s.partition_mean_us = for_a_while(200'000, standard_ ? 20'000'000 : 3'000'000);
  }

  void draw_machines() {
    set(Fault::crash, s.crash_every_us, 200'000, standard_ ? 20'000'000 : 4'000'000);
    const auto power = static_cast<std::uint32_t>(prng_.between(1, 100));
    if (is_on(Fault::power_loss)) s.power_loss_percent = power;
    if (prng_.chance(1, 2)) s.crash_all_percent = static_cast<std::uint32_t>(prng_.between(5, 40));
    set(Fault::recovery, s.crash_in_recovery_percent, 5, 40);
    s.down_mean_us = log_between(prng_, 10'000, standard_ ? 20'000'000 : 2'000'000);
    set(Fault::pause, s.pause_every_us, 300'000, 6'000'000);
    s.pause_mean_us = for_a_while(10'000, standard_ ? 30'000'000 : 3'000'000);
    set(Fault::suspend, s.suspend_every_us, 500'000, 10'000'000);
    const std::uint64_t wipes = prng_.between(1, 2);
    if (is_on(Fault::wipe) && s.nodes > 1 && (s.beyond || (s.nodes > 2 && prng_.chance(1, 4))))
      s.wipes = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(s.beyond ? s.nodes - 1 : (s.nodes - 1) / 2, wipes));
    set(Fault::drift, s.drift_ppm, 1, s.beyond ? 200'000 : 500);
  }

  void draw_disks() {
    s.disk_mean_us = log_between(prng_, 20, 50'000);
    set(Fault::stall, s.stall_permyriad, 1, 200);
    s.stall_most_us = log_between(prng_, 1'000'000, standard_ ? 30'000'000 : 4'000'000);
    set(Fault::hang, s.hang_every_us, 1'000'000, standard_ ? 60'000'000 : 8'000'000);
    set(Fault::sync_failure, s.sync_failure_permyriad, 1, 50);
    set(Fault::io_error, s.io_error_permyriad, 1, 50);
    set(Fault::full, s.full_every_us, 1'000'000, standard_ ? 60'000'000 : 8'000'000);
    set(Fault::rot, s.rot_every_us, 500'000, standard_ ? 60'000'000 : 8'000'000);
  }

  void draw_fault_points() {
    for (std::uint32_t& permille : s.fault_point_permille) {
      const auto drawn = static_cast<std::uint32_t>(log_between(prng_, 1, 500));
      const bool enabled = prng_.chance(1, 4) || extreme_;
      if (is_on(Fault::inject) && enabled) permille = drawn;
    }
    const auto ends = static_cast<std::uint32_t>(log_between(prng_, 1, 1000));
    if (is_on(Fault::inject) && prng_.chance(1, 2)) s.short_turn_permille = ends;
    // Who gives its leadership away all the time leads nobody anywhere.
    std::uint32_t& stops =
        s.fault_point_permille[static_cast<std::size_t>(FaultPoint::stop_leading)];
    stops = std::min(stops, 20U);
  }

  void draw_clients(const Choice& choice) {
    s.clients = static_cast<std::uint32_t>(log_between(prng_, 1, 32));
    s.keys = static_cast<std::uint32_t>(prng_.chance(1, 2) ? prng_.between(1, 8)
                                                           : log_between(prng_, 8, 1000));
    s.depth = static_cast<std::uint32_t>(log_between(prng_, 1, prng_.chance(1, 8) ? 256 : 16));
    std::uint64_t rate =
        log_between(prng_, standard_ ? 5 : 10, standard_ ? 200 : 1'000);  // requests a second
    if (choice.requests_per_s > 0) rate = choice.requests_per_s;
    // A third of the times they ask in bursts.
    const std::uint64_t requests_a_time_x6 = 4 + s.depth + 1;
    s.think_mean_us =
        std::max<std::uint64_t>(1, 1'000'000 * s.clients * requests_a_time_x6 / (6 * rate));
    const std::uint64_t idle = log_between(prng_, 500'000, 8'000'000);
    if (prng_.chance(1, 3) && choice.requests_per_s == 0) s.idle_every_us = idle;
    s.timeout_ms = log_between(prng_, 50, 4'000);
    set(Fault::slow_reader, s.read_mean_us, 100, 100'000);
    set(Fault::large, s.large_permille, 1, 60);
    s.large_bytes = log_between(prng_, 2'000, 100'000);
    if (prng_.chance(1, 8)) {  // a few, or the seed takes minutes
      s.large_bytes = 1 << 20;
      s.large_permille = std::min(s.large_permille, 5U);
    }
  }

  // The clients then are hosts.
  void draw_machine(const Choice& choice) {
    const bool drawn = prng_.chance(1, 10);
    if (choice.own_machine.value_or(drawn)) s.proposers = std::exchange(s.clients, 0);
  }

  // Behind all others: whoever draws small ones has the same day as before. A spare of a large one
  // is made in several slices.
  void draw_large_segments() {
    const std::uint64_t large = prng_.between(65, 160) * 4096;
    if (prng_.chance(1, 24)) s.segment_bytes = large;
  }

  void draw_old_words() {
    s.cut_patience_us = log_between(prng_, 100'000, 20'000'000);
    set(Fault::late, s.late_permille, 5, 300);
    set(Fault::late, s.late_every_us, 100'000, 2'000'000);
    set(Fault::stray, s.stray_permille, 10, 500);
    set(Fault::bootstrap, s.bootstrap_every_us, 2'000, 200'000);
  }

  // From an NVMe to less than an SD card, from 10 Gbit/s to 10 Mbit/s. Raft serves where what one
  // message takes is much less than an election timeout (paper 5.6).
  void draw_time() {
    const std::uint64_t sync_us = log_between(of_time_, 50, 50'000);
    const std::uint64_t disk_rate = log_between(of_time_, 5'000, 1'000'000);
    const std::uint64_t link_rate = log_between(of_time_, 1'250, 1'250'000);
    std::uint64_t message_us = 0;
    if (is_on(Fault::load)) be_ordinary();
    if (is_on(Fault::slow_disk)) {
      s.sync_us = sync_us;
      s.disk_bytes_per_ms = disk_rate;
      s.disk_mean_us = 2 * sync_us + 1000 * usual_batch_bytes / disk_rate;
      message_us += sync_us + 1000 * (s.max_append_bytes + largest_value()) / disk_rate;
    }
    if (is_on(Fault::slow_link)) {
      s.link_bytes_per_ms = link_rate;
      message_us += 1000 * (s.max_append_bytes + largest_value()) / link_rate;
    }
    const std::uint64_t item_us = log_between(of_time_, 2, 200);
    const std::uint64_t byte_ns = log_between(of_time_, 1, 100);
    if (is_on(Fault::slow_cpu)) {
      s.cpu_item_us = item_us;
      s.cpu_byte_ns = byte_ns;
      message_us += 10 * item_us + byte_ns * (s.max_append_bytes + largest_value()) / 1000;
      // Half of what a leader can do, at most: some ten of these for a request.
      const std::uint64_t least_us = 20 * item_us * s.clients * (s.depth + 5) / 6;
      s.think_mean_us = std::max(s.think_mean_us, least_us);
    }
    s.election_timeout_ms = std::max(s.election_timeout_ms, 4 * message_us / 1000);
    draw_load();
  }

 private:
  // Half of the times just long enough for another leader.
  std::uint64_t for_a_while(std::uint64_t low, std::uint64_t high) {
    const std::uint64_t any = log_between(prng_, low, high);
    const std::uint64_t timeouts = prng_.between(2, 6);
    return prng_.chance(1, 2) ? any : timeouts * 1000 * s.election_timeout_ms;
  }

  // A cluster as people have them, after a short day.
  void be_ordinary() {
    const Settings ordinary;
    s.segment_bytes = 4 << 20;
    s.max_append_bytes = ordinary.max_append_bytes;
    s.max_in_flight_bytes = ordinary.max_in_flight_bytes;
    s.max_log_bytes = ordinary.max_log_bytes;
    s.own_limits = s.beyond = s.split_core = false;
    s.nodes = std::max(s.nodes, 3U);
    s.faults_us = 2'000'000;
  }

  // What a disk and a link pass in 200 ms, and a mebibyte at most, is one value.
  void draw_load() {
    const auto load = static_cast<Settings::Load>(of_time_.between(1, 5));
    if (!is_on(Fault::load)) return;
    s.load = load;
    s.load_bytes = 1 << 20;
    if (s.disk_bytes_per_ms > 0) s.load_bytes = std::min(s.load_bytes, 200 * s.disk_bytes_per_ms);
    if (s.link_bytes_per_ms > 0)
      s.load_bytes = std::min(s.load_bytes, 200 * s.link_bytes_per_ms / s.nodes);
    if (s.cpu_byte_ns > 0) s.load_bytes = std::min(s.load_bytes, 20'000'000 / s.cpu_byte_ns);
  }

  // Of one write, or none.
  std::uint64_t largest_value() const { return s.large_permille > 0 ? s.large_bytes : 0; }

  bool is_on(Fault fault) const { return s.on[static_cast<std::size_t>(fault)]; }

  template <class T>
  void set(Fault fault, T& field, std::uint64_t low, std::uint64_t high) {
    const std::uint64_t value = log_between(prng_, low, high);
    if (is_on(fault)) field = static_cast<T>(value);
  }
  template <class T>
  void maybe(T& field, std::uint64_t low, std::uint64_t high) {
    const bool on = prng_.chance(1, 2);
    const std::uint64_t value = log_between(prng_, low, high);
    if (on) field = static_cast<T>(value);
  }

  Prng prng_, of_time_;
  bool extreme_ = false;
  bool standard_ = false;
};

std::string to_list(const Faults& faults) {
  std::string list;
  for (std::size_t i = 0; i < faults.size(); ++i)
    if (faults[i]) list += (list.empty() ? "" : ",") + std::string(names[i]);
  return list;
}

}  // namespace

const char* name_of(Fault fault) { return names[static_cast<std::size_t>(fault)]; }

std::optional<Fault> fault_named(std::string_view name) {
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (name == names[i]) return static_cast<Fault>(i);
  return std::nullopt;
}

std::string Choice::to_flags() const {
  std::string flags;
  if (length == Length::standard) flags += " --standard";
  if (only) flags += " --only " + (only->none() ? std::string("none") : to_list(*only));
  if (without.any()) flags += " --without " + to_list(without);
  if (beyond) flags += *beyond ? " --beyond" : " --within";
  if (own_machine) flags += *own_machine ? " --machine" : " --dictionary";
  if (nodes) flags += " --nodes " + std::to_string(*nodes);
  if (requests_per_s > 0) flags += " --rate " + std::to_string(requests_per_s);
  return flags;
}

Settings draw_settings(std::uint64_t seed, const Choice& choice) {
  Drawing drawing(seed, choice);
  drawing.draw_shape(choice);
  drawing.draw_network();
  drawing.draw_machines();
  drawing.draw_disks();
  drawing.draw_fault_points();
  drawing.draw_clients(choice);
  drawing.draw_machine(choice);
  drawing.draw_large_segments();
  drawing.draw_old_words();
  drawing.draw_time();
  return drawing.s;
}

std::string to_string(const Settings& s) {
  const auto field = [](const char* name, std::uint64_t value) {
    return std::string(" ") + name + "=" + std::to_string(value);
  };
  std::string text = "nodes=" + std::to_string(s.nodes);
  if (s.beyond) text += " beyond";
  if (s.split_core) text += " split_core";
  text += field("election_ms", s.election_timeout_ms) + field("skew", s.skew_percent) +
          field("segment", s.segment_bytes) + field("append", s.max_append_bytes) +
          field("in_flight", s.max_in_flight_bytes) + field("log", s.max_log_bytes) +
          field("delay_us", s.delay_mean_us) + field("disk_us", s.disk_mean_us) +
          field("down_us", s.down_mean_us) +
          field(s.has_proposers() ? "proposers" : "clients", s.clients + s.proposers) +
          field("keys", s.keys) + field("depth", s.depth) + field("think_us", s.think_mean_us) +
          field("timeout_ms", s.timeout_ms);
  if (s.disk_bytes_per_ms > 0)
    text += field("sync_us", s.sync_us) + field("disk_kB_s", s.disk_bytes_per_ms);
  if (s.cpu_item_us > 0)
    text += field("cpu_item_us", s.cpu_item_us) + field("cpu_byte_ns", s.cpu_byte_ns);
  static constexpr const char* loads[] = {"", "reads", "failing", "documents", "values", "many"};
  if (s.load != Settings::Load::none)
    text += std::string(" load=") + loads[static_cast<std::size_t>(s.load)] +
            field("load_bytes", s.load_bytes);
  if (s.link_bytes_per_ms > 0) text += field("link_kB_s", s.link_bytes_per_ms);
  return text + " faults=" + to_list(s.on);
}

}  // namespace zatt::sim
