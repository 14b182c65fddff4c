// SPDX-License-Identifier: AGPL-3.0-or-later
// Work for the disk's thread: steps carried out in order, reported once, at the first failure or
// at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/disk.h"

namespace zatt::storage {

inline constexpr std::uint64_t max_fill_bytes = 256 << 10;
// A batch syncs at least this often, so that a slow disk shows that it does not hang.
inline constexpr std::uint64_t sync_every_bytes = 4 << 20;

struct Step {
  enum class Kind : std::uint8_t { write, fill, sync, push, rename, remove, sync_directory, read };
  Kind kind = Kind::write;
  std::string name{};
  std::string to{};          // rename
  std::uint64_t offset = 0;  // write, fill, push, read
  std::uint64_t length = 0;  // fill (of zeros, up to max_fill_bytes), push, read
  std::string bytes{};       // write
};

struct Batch {
  std::vector<Step> steps;
};

struct BatchResult {
  Status status = ok;
  std::size_t steps_done = 0;      // those before the one that failed
  std::vector<std::string> reads;  // one a read step, in order
  std::vector<Step> rest;          // of what failed: that step, and all after it
};

// There is no room, or a file may not be as large, or no more may be open: all of them can pass.
bool can_pass(const Error& error);

// Runs `batch` on `disk`, on the calling thread. `on_sync` is called, there, after each sync.
BatchResult run(Disk& disk, const Batch& batch, const std::function<void()>& on_sync = nullptr);

}  // namespace zatt::storage
