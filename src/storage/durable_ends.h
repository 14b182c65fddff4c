// SPDX-License-Identifier: AGPL-3.0-or-later
// Which entries must be there: what the log-end record and the headers of the segments say was
// durable (docs/storage.md, rule 15).
//
// Filled while the log is read, then asked what of it is missing. The log-end record names the
// end of the log; a header names the last entry that the start which began its segment copied
// into it, which nothing else vouches for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/format.h"
#include "storage/log_end.h"

namespace zatt::storage {

class DurableEnds {
 public:
  // What was durable and can't be served.
  struct Missing {
    Index last{};  // at least up to here
    bool is_end_known = false;
    std::uint64_t segment = 0;
    std::string what;  // if it is more than entries
  };
  // The log as it can be served.
  struct Served {
    Index base{};                   // a snapshot holds all up to here
    bool goes_through_base = true;  // the log as it lies has the snapshot's last entry
    bool is_damaged = false;
  };

  void expect(const LogEndRecord& record);   // once
  void expect(const SegmentHeader& header);  // each good one, ascending
  void saw(Index index, std::uint64_t checksum);  // in some segment
  void served(const LogEnd& end);                 // the log that is served holds it

  [[nodiscard]] std::optional<Missing> missing_copied_end(const Served& log) const;
  [[nodiscard]] std::optional<Missing> missing_log_end(const Served& log) const;

 private:
  struct Expected {
    std::uint64_t checksum = 0;
    bool is_served = false;
    bool is_seen = false;
  };

  // Remembers that an entry must be there.
  void expect(Index index, std::uint64_t checksum);
  const Expected* find(Index index, std::uint64_t checksum) const;
  Expected* find(Index index, std::uint64_t checksum);
  // Whether a later segment or a snapshot makes it needless to look for this entry.
  bool is_moot(std::uint64_t segment, Index index, const Served& log) const;
  // Whether a header names this entry as the end of the segment before.
  bool is_predecessor(const LogEnd& end) const;

  LogEndRecord record_;
  std::vector<SegmentHeader> headers_;
  std::multimap<Index, Expected> expected_;
};

}  // namespace zatt::storage
