// SPDX-License-Identifier: AGPL-3.0-or-later
// The file `hard_state`: two slots, so that one bad write or one bad sector takes no promise back.
//
//   slot  +------------+---------+----------+----------+----------+-------------------------+
//         |checksum u64|magic u64|format u32|number u64|length u32|length bytes, hard_state.cc|
//         +------------+---------+----------+----------+----------+-------------------------+
//
// Slot 0 is at 0, slot 1 at slot_bytes; what is written is padded with zeros to whole units. The
// checksum covers the rest and is keyed by the slot. number grows by one a write, over both slots:
// the good slot with the higher number holds. Every save writes both, each synced, a bad slot
// first, else the one written last, since only that one can be in doubt (STORAGE rule 14). Later
// formats keep this head, so that this one can say what it met.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/batch.h"
#include "storage/disk.h"
#include "storage/hard_state.h"

namespace zatt::storage {

inline constexpr const char* hard_state_name = "hard_state";
inline constexpr const char* unfinished_hard_state_name = "hard_state.new";
inline constexpr std::uint64_t slot_bytes = 64 << 10;
inline constexpr std::uint32_t hard_state_format = 1;
inline constexpr std::size_t slot_header_size = 8 + 8 + 4 + 8 + 4;

// What an encoded hard state may hold: whoever lets offers gather stays below it.
inline constexpr std::size_t max_hard_state_bytes = slot_bytes - slot_header_size;

// Which slot is written next, and under which number.
struct SlotTurn {
  std::uint64_t number = 1;
  std::uint64_t slot = 0;
};

struct Slots {
  HardState state;
  SlotTurn turn;
  bool one_is_bad = false;
};

// Both slots of the file as it is. Code::corrupt where none is good, Code::newer.
Result<Slots> read_slots(Disk& disk);

// The steps that make `state` durable in both slots of the file `name`.
void write_slots(const HardState& state, const std::string& name, SlotTurn& turn,
                 std::vector<Step>& steps);

}  // namespace zatt::storage
