// SPDX-License-Identifier: AGPL-3.0-or-later
// What a storage has under way: writes that are not durable, and what a batch's completion means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "storage/batch.h"
#include "storage/log_extent.h"

namespace zatt::storage {

struct InFlightBatch {
  WriteNumber last_write{};  // all up to it are durable, once this is
  std::uint64_t bytes = 0;
  bool writes_log = false;
  bool is_last = false;              // of a storage that stops
  std::optional<Extent> cut_extent;  // read for what a cut has to know of the entry it ends at
  std::vector<std::string> read_bytes;
  std::optional<std::size_t> note_step;   // a note of the log's end, which a full disk may refuse
  std::optional<std::size_t> slice_step;  // where the spare's slice begins
};

// A batch of which a step had no room: that step and those after it, to be tried again.
struct Stall {
  InFlightBatch flight;
  std::vector<Step> rest;
  std::uint64_t retry_at_us = 0;
};

// One that is not durable: it is once the log is, up to `last`.
struct UndoneWrite {
  WriteNumber number{};
  Index last{};
};

// When the log's end is noted if nothing comes, when if more comes, and when the note is synced.
struct NoteTimes {
  std::uint64_t quiet_at_us = never_us;
  std::uint64_t note_at_us = never_us;
  std::uint64_t sync_at_us = never_us;
};

}  // namespace zatt::storage
