// SPDX-License-Identifier: AGPL-3.0-or-later
// What a run has seen, counted by name: a simulator misses what its faults and clients never make.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/instrumentation.h"
#include "tests/support/which.h"

namespace zatt::sim {

// What the simulation itself does, or sees from outside.
enum class Action : std::uint8_t {
  killed,
  power_lost,
  all_crashed,
  crashed_in_a_write,
  crashed_in_recovery,
  name_lost,  // a file made, renamed or removed, and then not
  wiped,
  paused,
  suspended,
  read_out_of_order,  // after a pause: what came first was read later
  disk_stalled,
  disk_hung,
  sync_failed,
  read_failed,
  read_beside_a_batch,
  write_failed,
  short_write,
  no_space,
  space_again,
  entry_rotted,
  header_rotted,
  slot_rotted,
  segment_damaged,
  stopped_in_good_order,
  start_refused,
  partitioned,
  cut_one_way,
  ring,
  bridge,
  chain,
  halves,
  one_alone,
  clogged,
  over_capacity,
  reset,
  read_late,  // a connection, from its first byte on
  strayed,    // a frame of an earlier process, over a later connection
  stuck,      // before a cut
  arrived_after_a_cut,
  given_up_after_a_cut,
  crashed_in_bootstrap,
  wiped_in_bootstrap,
  paused_in_a_round,
  deposed_in_a_round,  // and asked, once others had told of what they wrote
  request_abandoned,
  client_moved,
  value_of_a_megabyte,
  empty_value,
  no_leader_told,
  storage_full_told,
  overloaded_told,
  condition_failed_told,
  proposed,
  barrier_done,
  proposal_unknown,
  proposal_refused,
  long_batch,      // over 300 ms, for its bytes and syncs
  bulk_overtaken,  // a control frame passed what waits for a slow link
  link_overrun,    // more waited for one than server/ keeps
  load_borne,      // a last phase of it
  turn_used_up,    // 4 ms of simulated work
  turn_long,       // 50 ms
  order_found,     // by the search, without a look into the log
  count_
};

using test::Kind;

class Coverage {
 public:
  void count(CoveragePoint point) { ++at(points, point); }
  void count(FaultPoint turn) { ++at(fault_points, turn); }
  void count(Action action) { ++at(actions, action); }
  void count_dropped(Kind kind) { ++at(dropped, kind); }
  void count_doubled(Kind kind) { ++at(doubled, kind); }
  void count_late(Kind kind) { ++at(late, kind); }  // in an earlier term than its receiver's

  std::uint64_t of(CoveragePoint point) const {
    return numbers_[points + static_cast<std::size_t>(point)];
  }
  std::uint64_t of(Action action) const {
    return numbers_[actions + static_cast<std::size_t>(action)];
  }
  void add(const Coverage& other);
  // "name=number", in a fixed order.
  std::vector<std::string> lines() const;
  // Names of what was never seen.
  std::vector<std::string> missing() const;

 private:
  static constexpr std::size_t kinds = static_cast<std::size_t>(Kind::count_);
  static constexpr std::size_t points = 0;
  static constexpr std::size_t fault_points =
      points + static_cast<std::size_t>(CoveragePoint::count);
  static constexpr std::size_t actions = fault_points + static_cast<std::size_t>(FaultPoint::count);
  static constexpr std::size_t dropped = actions + static_cast<std::size_t>(Action::count_);
  static constexpr std::size_t doubled = dropped + kinds;
  static constexpr std::size_t late = doubled + kinds;
  static constexpr std::size_t size = late + kinds;

  template <class Name>
  std::uint64_t& at(std::size_t group, Name name) {
    return numbers_[group + static_cast<std::size_t>(name)];
  }
  static std::string name_at(std::size_t place);
  static bool applies(std::size_t place);
  static bool is_by_name_alone(std::string_view name);

  std::array<std::uint64_t, size> numbers_{};
};

}  // namespace zatt::sim
