// SPDX-License-Identifier: AGPL-3.0-or-later
// The file `hard_state`: two slots, so that one bad write or one bad sector takes no promise back,
// and two units in which the log-end record (log_end.h) is noted between saves.
//
//   slot  +------------+---------+----------+----------+----------+------------------+-----------+
//         |checksum u64|magic u64|format u32|number u64|length u32|log-end record, 41|hard state |
//         +------------+---------+----------+----------+----------+------------------+-----------+
//   note  +------------+---------+----------+----------+----------+------------------+
//         |checksum u64|magic u64|format u32|number u64|length u32|log-end record, 41|
//         +------------+---------+----------+----------+----------+------------------+
//
// Slot 0 is at 0, slot 1 at slot_bytes, the notes at twice that and one unit further; length counts
// what follows it, hard_state.cc has the hard state's bytes. What is written is padded with zeros
// to whole units. The checksum covers the rest and is keyed by the place, 0 to 3. number grows by
// one a write, over all four: the good slot with the higher number holds, and the newest record of
// all. Every save writes both slots, each synced, a bad one first, else the one written last, since
// only that one can be in doubt. A note never touches a slot: torn, it takes nothing with it. Later
// formats keep this head, so that this one can say what it met.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/batch.h"
#include "storage/disk.h"
#include "storage/hard_state.h"
#include "storage/log_end.h"

namespace zatt::storage {

inline constexpr const char* hard_state_name = "hard_state";
inline constexpr const char* unfinished_hard_state_name = "hard_state.new";
inline constexpr std::uint64_t slot_bytes = 64 << 10;
inline constexpr std::uint32_t hard_state_format = 3;
inline constexpr std::size_t slot_header_size = 8 + 8 + 4 + 8 + 4;

// What an encoded hard state may hold: whoever lets offers gather stays below it.
inline constexpr std::size_t max_hard_state_bytes =
    slot_bytes - slot_header_size - log_end_record_size;

// Which slot and which note are written next, and under which number.
struct SlotTurn {
  std::uint64_t number = 1;
  std::uint64_t slot = 0;
  std::uint64_t note = 0;
};

// The file as it is.
struct Slots {
  HardState state;
  LogEndRecord log_end;
  SlotTurn turn;
  std::uint64_t older_slot = 0;  // the one that `state` was not read from
  bool one_is_bad = false;
};

// Code::corrupt where no slot is good, Code::newer or Code::foreign for another format.
Result<Slots> read_slots(Disk& disk);

// The steps that make `state` and `log_end` durable in both slots of the file `name`.
void write_slots(const HardState& state, const LogEndRecord& log_end, const std::string& name,
                 SlotTurn& turn, std::vector<Step>& steps);
// Makes space for the notes, in a file that is being made.
void make_notes(const std::string& name, std::vector<Step>& steps);
// The step that notes `log_end`: not durable before the file is synced.
void write_note(const LogEndRecord& log_end, SlotTurn& turn, std::vector<Step>& steps);
// The step that has the notes on their way to the disk, without waiting for it.
Step push_notes();

// The file while a process runs: what it says, and what it will say next.
class HardStateFile {
 public:
  HardStateFile(HardState state, const LogEndRecord& log_end, SlotTurn turn)
      : state_(std::move(state)), log_end_(log_end), turn_(turn) {}

  const HardState& state() const { return state_; }
  void set_state(const HardState& state) { state_ = state; }  // for the next save
  const LogEndRecord& log_end() const { return log_end_; }    // as last saved or noted

  void save(const LogEndRecord& log_end, std::vector<Step>& steps) {
    log_end_ = log_end;
    write_slots(state_, log_end_, hard_state_name, turn_, steps);
  }
  void note(const LogEndRecord& log_end, std::vector<Step>& steps) {
    log_end_ = log_end;
    write_note(log_end_, turn_, steps);
  }

 private:
  HardState state_;
  LogEndRecord log_end_;
  SlotTurn turn_;
};

}  // namespace zatt::storage
