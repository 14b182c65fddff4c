// SPDX-License-Identifier: AGPL-3.0-or-later
// The log in memory: its segments, and roughly where their entries are.
//
// A position every 64 KiB of log is kept, so that an entry is found by reading little more than
// itself, and a log of gigabytes costs kilobytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/format.h"
#include "storage/log_end.h"
#include "storage/slots.h"
#include "storage/storage.h"

namespace zatt::storage {

inline constexpr std::uint64_t position_every_bytes = 64 << 10;

struct Position {
  Index index{};
  std::uint64_t offset = 0;  // of its record
};

struct Segment {
  std::uint64_t number = 0;
  LogEnd predecessor;
  std::uint64_t size = 0;       // of the file
  std::uint64_t full_size = 0;  // as its header says
  std::uint64_t end = unit;     // after its last record, in whole units
  std::vector<Position> positions;

  Index first() const { return predecessor.index + 1; }
  std::string file() const { return file_name(FileKind::segment, number); }

  // The record of `index` begins at `offset`; called for every one, in order.
  void note(Index index, std::uint64_t offset) {
    if (positions.empty() || offset - positions.back().offset >= position_every_bytes)
      positions.push_back({index, offset});
  }
};

struct FileSize {
  std::string name;
  std::uint64_t size = 0;
};

// All that start() has to know of what scan() found.
struct ScanResult::Log {
  bool is_empty = true;              // the directory: nothing was ever promised here
  SlotTurn turn;                     // of the hard state's next write
  std::uint64_t older_slot = 0;      // the one that does not hold what was read
  LogEndRecord log_end;              // as the hard state's file has it
  std::vector<Segment> segments;     // those in force, ascending, each cut by the next
  LogEnd last;                       // of the log that is served
  LogEnd proven_durable;             // up to here it was durable, whatever the page cache shows
  std::vector<std::string> retired;  // segments no longer needed once a new segment is in force
  std::vector<FileSize> spare_files;
  std::vector<std::string> unfinished;  // what a crash has left
  std::uint64_t highest_number = 0;     // in any file's name, or in the log-end record
  std::vector<Index> configurations;    // of the log that is served
};

}  // namespace zatt::storage
