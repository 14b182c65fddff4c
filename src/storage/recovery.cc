// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/recovery.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "storage/segments.h"
#include "storage/steps.h"

namespace zatt::storage {
namespace {

constexpr std::uint64_t least_segment_bytes = 4 * unit;

Status run_steps(Disk& disk, std::vector<Step>& steps) {
  Batch batch;
  batch.steps = std::move(steps);
  steps.clear();
  return run(disk, batch).status;
}

// Rules 12 and 16: stored before anything else is written.
void raise_floor(const std::optional<Damage>& damage, HardState& state) {
  if (!damage) return;
  raft::Floor& floor = state.raft_state.floor;
  if (damage->floor_is_open) floor.open_term = state.raft_state.current_term;
  const std::pair seen(damage->floor_term, damage->floor_index);
  if (seen <= std::pair(floor.term, floor.index)) return;
  floor.term = damage->floor_term;
  floor.index = damage->floor_index;
}

// The record that was read stays the record until there is a log that it could speak of. After
// damage what is written first is the slot that holds nothing: the other one still has what was
// found, once the device has it too. Else a torn write would take the floor with it.
Status store_hard_state(Disk& disk, const HardState& state, const ScanResult& found,
                        SlotTurn& turn) {
  std::vector<Step> steps;
  if (found.damage) {
    steps.push_back(sync_step(hard_state_name));
    turn.slot = found.log->older_slot;
  }
  write_slots(state, found.log->log_end, hard_state_name, turn, steps);
  return run_steps(disk, steps);
}

// A new directory gets its hard state under its name only when it is whole: where the name is, a
// node once had an identity.
Status make_hard_state(Disk& disk, const HardState& state, SlotTurn& turn) {
  std::vector<Step> steps;
  make_notes(unfinished_hard_state_name, steps);
  write_slots(state, LogEndRecord{}, unfinished_hard_state_name, turn, steps);
  steps.push_back(rename_step(unfinished_hard_state_name, hard_state_name));
  steps.push_back(sync_directory_step());
  return run_steps(disk, steps);
}

// The entries that nothing vouches for: all of them are in the last segment.
Result<RecordBuffer> read_tail(Disk& disk, const ScanResult::Log& log, std::uint64_t incarnation) {
  RecordBuffer tail;
  if (log.proven_durable.index == log.last.index) return tail;
  const Segment& segment = log.segments.back();
  const auto behind = std::upper_bound(
      segment.positions.begin(), segment.positions.end(), log.proven_durable.index + 1,
      [](Index index, const Position& position) { return index < position.index; });
  ZATT_ASSERT(behind != segment.positions.begin());
  const std::uint64_t offset = (behind - 1)->offset;
  auto bytes = disk.read(segment.file(), offset, segment.end - offset);
  if (!bytes) return bytes.error();
  RecordWalk walk(*bytes, offset, checksum_key(incarnation, segment.number));
  LogEnd end = log.proven_durable;
  while (end.index < log.last.index) {
    const auto record = walk.next();
    if (!record)
      return Error{Code::corrupt, 0, "an entry of the log can't be read again", segment.file()};
    if (record->index != end.index + 1 || record->previous != end.checksum) continue;
    tail.add(record->entry());
    end = {record->index, record->term, record->checksum};
  }
  return tail;
}

// What is no longer needed, now that the new segment is in force.
Status remove_obsolete(Disk& disk, const ScanResult::Log& found,
                       const std::vector<Segment>& obsolete, SegmentPool& pool) {
  std::vector<Step> steps;
  pool.trim(steps);
  std::vector<std::string> retired = found.retired;
  for (const Segment& segment : obsolete) retired.push_back(segment.file());
  for (const std::string& name : retired) {
    auto size = disk.size(name);
    if (!size) return size.error();
    pool.retire(name, *size, steps);
  }
  if (!steps.empty()) steps.push_back(sync_directory_step());
  return run_steps(disk, steps);
}

// A disk may be full, and every failed start would leave another file half made: all but the newest
// go first, and that one is gone on with. Its number stays in use either way.
Result<std::optional<std::uint64_t>> newest_unfinished(Disk& disk, const ScanResult::Log& found) {
  if (found.unfinished.empty()) return std::optional<std::uint64_t>();
  std::vector<Step> steps;
  for (std::size_t i = 0; i + 1 < found.unfinished.size(); ++i)
    steps.push_back(remove_step(found.unfinished[i]));
  if (!steps.empty()) steps.push_back(sync_directory_step());
  if (auto removed = run_steps(disk, steps); !removed) return removed.error();
  return std::optional(parse_file_name(found.unfinished.back())->number);
}

}  // namespace

Result<Recovered> recover_directory(Disk& disk, const Options& options, ScanResult found,
                                    const HardState& state) {
  ScanResult::Log& log = *found.log;
  const std::uint64_t incarnation = state.self.incarnation;
  ZATT_ASSERT(log.is_empty || found.hard_state->self.incarnation == incarnation);
  HardState raised = state;
  raise_floor(found.damage, raised);
  SlotTurn turn = log.turn;
  auto stored = log.is_empty ? make_hard_state(disk, raised, turn)
                             : store_hard_state(disk, raised, found, turn);
  if (!stored) return stored.error();
  auto tail = read_tail(disk, log, incarnation);
  if (!tail) return tail.error();
  if (!tail->empty()) hit(options.instrumentation, CoveragePoint::unproven_entries_copied);
  auto unfinished = newest_unfinished(disk, log);
  if (!unfinished) return unfinished.error();
  SegmentPool pool(std::max(round_up(options.segment_bytes), least_segment_bytes),
                   std::move(log.spare_files), *unfinished, log.highest_number + 1);
  HardStateFile file(std::move(raised), log.log_end, turn);
  LogWriter writer(incarnation, std::move(log.segments), log.proven_durable,
                   std::move(log.configurations), options.instrumentation);
  // A process that was killed may have given the names that are seen, and not made them durable: a
  // spare that is used under another name could be found under its first one, too.
  std::vector<Step> steps{sync_directory_step()};
  const std::vector<Segment> obsolete =
      writer.begin_copied_segment(std::move(*tail), pool, file, steps);
  if (auto begun = run_steps(disk, steps); !begun) return begun.error();
  if (auto tidied = remove_obsolete(disk, log, obsolete, pool); !tidied) return tidied.error();
  return Recovered{std::move(file), std::move(writer), std::move(pool)};
}

}  // namespace zatt::storage
