// SPDX-License-Identifier: AGPL-3.0-or-later
// The log-end record: where the log ended, told from outside of it.
//
// From inside the log, the loss of a whole file looks like a torn tail, or like nothing. So the
// file of the hard state says, too, how far completed syncs have made the log durable, never
// further. It is written into both slots with every save, at each new segment and at a clean stop,
// and between these into two units of its own (slots.h). A start holds what it finds against it
// (log_reader.h), and takes what it names for durable, whatever the page cache shows.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "storage/format.h"

namespace zatt::storage {

struct LogEndRecord {
  std::uint64_t segment = 0;  // the newest segment's number; 0: there was none yet
  LogEnd end;                 // of the log
  Index configuration{};      // of the last configuration entry at or below it; 0: none
  bool is_clean = false;      // the process stopped: nothing was stored after this

  friend bool operator==(const LogEndRecord&, const LogEndRecord&) = default;
};

inline constexpr std::size_t log_end_record_size = 8 + 8 + 8 + 8 + 8 + 1;

// u64 segment, u64 index, u64 term, u64 checksum, u64 configuration, u8 is_clean (0, 1).
void encode(const LogEndRecord& record, Writer& out);
LogEndRecord decode_log_end(Reader& in);  // in.ok() says whether it was one

}  // namespace zatt::storage
