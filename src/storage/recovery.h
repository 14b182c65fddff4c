// SPDX-License-Identifier: AGPL-3.0-or-later
// The second step of a start: what every start writes before its node may speak.
//
// The page cache after kill -9, or after a failed sync, shows what the disk does not have. So a
// start writes its hard state anew, and begins a new segment of the log that holds a copy of every
// entry which nothing vouches for (docs/storage.md, rules 12 to 15).
#pragma once

#include "base/result.h"
#include "storage/log_writer.h"
#include "storage/segment_pool.h"
#include "storage/slots.h"
#include "storage/storage.h"

namespace zatt::storage {

struct Recovered {
  HardStateFile file;
  LogWriter log;
  SegmentPool pool;
};

// The hard state is `state`, with its floor raised where there was damage.
Result<Recovered> recover_directory(Disk& disk, const Options& options, ScanResult found,
                                    const HardState& state);

}  // namespace zatt::storage
