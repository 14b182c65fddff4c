// SPDX-License-Identifier: AGPL-3.0-or-later
// Reading entries back: which stretch of which segment holds them, and what it says.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/segments.h"
#include "storage/storage.h"

namespace zatt::storage {

inline constexpr std::uint64_t most_read_bytes = 256 << 10;  // and one record
inline constexpr std::uint64_t largest_record_bytes = record_header_size + max_body_bytes;

struct Extent {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Index begins{};  // the entry whose record is at `offset`
  Index wanted{};  // the first entry asked for
  Index last{};    // of the log in this segment: what follows was cut off
  Index ends{};    // the last entry whose record is in it
};

// Where entry `first` is, and up to about max_bytes more of the log after it. Nothing where the
// log, which ends at `last`, does not hold it. (A segment's header makes it begin at 1.)
std::optional<Extent> find_extent(const std::vector<Segment>& segments, Index first, Index last,
                                  std::uint64_t max_bytes);

struct ExtentEntry {
  Entry entry;
  std::uint64_t checksum = 0;
};
// The entries asked for, at least one, up to about max_bytes of bodies, and together no larger than
// the largest record: what has room for that has room for them. Code::corrupt where a record does
// not check: it did when it was found or written.
Result<std::vector<ExtentEntry>> read_extent(const Extent& extent, std::string_view bytes,
                                             std::uint64_t incarnation, std::uint64_t max_bytes);

}  // namespace zatt::storage
