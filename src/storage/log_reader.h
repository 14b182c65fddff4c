// SPDX-License-Identifier: AGPL-3.0-or-later
// What the segments of a directory say: which entries they hold, what is a torn tail, what damage.
//
// docs/storage.md, rules 8 to 12 and 15. Only reads, a segment at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/instrumentation.h"
#include "base/result.h"
#include "storage/disk.h"
#include "storage/log_end.h"
#include "storage/storage.h"

namespace zatt::storage {

// What a durable snapshot holds already; nothing of the log is needed up to there.
struct Base {
  Term term{};
  Index index{};
};

struct LogQuestion {
  std::string directory;  // for messages
  std::uint64_t incarnation = 0;
  Base base;
  LogEndRecord log_end;
  Instrumentation* instrumentation = nullptr;
};

// Fills all of `found` that concerns the log.
Status read_log(Disk& disk, const LogQuestion& question, const std::vector<std::string>& names,
                const std::function<void(const EntryView&)>& on_entry, ScanResult& found);

}  // namespace zatt::storage
