// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_extent.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/checksum.h"

namespace zatt::storage {

std::optional<Extent> find_extent(const std::vector<Segment>& segments, Index first, Index last,
                                  std::uint64_t max_bytes) {
  if (first > last || segments.empty() || first < segments.front().first()) return std::nullopt;
  const auto next =
      std::upper_bound(segments.begin(), segments.end(), first,
                       [](Index index, const Segment& l) { return index < l.first(); });
  const Segment& segment = *(next - 1);
  Extent extent;
  extent.segment = segment.number;
  extent.wanted = first;
  // A cut that waits may lie before the next segment's beginning.
  extent.last = next == segments.end() ? last : std::min(last, next->predecessor.index);
  const auto behind =
      std::upper_bound(segment.positions.begin(), segment.positions.end(), first,
                       [](Index index, const Position& p) { return index < p.index; });
  const Position& begin = *(behind - 1);
  extent.begins = begin.index;
  extent.offset = begin.offset;
  const std::uint64_t most = std::min(most_read_bytes, max_bytes + position_every_bytes);
  std::uint64_t end = behind == segment.positions.end() ? segment.end : behind->offset;
  auto next_begin = behind;
  for (auto at = behind; at != segment.positions.end(); ++at) {
    const std::uint64_t further =
        at + 1 == segment.positions.end() ? segment.end : (at + 1)->offset;
    if (further - begin.offset > most) break;
    end = further;
    next_begin = at + 1;
  }
  extent.ends = extent.last;
  if (next_begin != segment.positions.end())
    extent.ends = std::min(extent.last, next_begin->index - 1);
  extent.length = end - begin.offset;
  return extent;
}

Result<std::vector<ExtentEntry>> read_extent(const Extent& extent, std::string_view bytes,
                                             std::uint64_t incarnation, std::uint64_t max_bytes) {
  RecordWalk walk(bytes, extent.offset, checksum_key(incarnation, extent.segment));
  std::vector<ExtentEntry> entries;
  Index expected = extent.begins;
  std::uint64_t body_bytes = 0, record_bytes = 0;
  std::optional<std::uint64_t> previous;
  while (expected <= extent.last && (entries.empty() || body_bytes < max_bytes)) {
    const auto record = walk.next();
    // Rule 9: what is genuine and not the next is passed over, as it was when the log was found.
    if (record &&
        (record->index != expected || record->previous != previous.value_or(record->previous)))
      continue;
    if (!record && entries.empty())
      return Error{Code::corrupt, 0, "an entry of the log is damaged",
                   file_name(FileKind::segment, extent.segment) + ": entry " +
                       std::to_string(raw(expected)) + ", at or behind byte " +
                       std::to_string(extent.offset)};
    if (!record) break;  // the stretch ends here
    previous = record->checksum;
    if (expected >= extent.wanted) {
      record_bytes += record->size();
      if (!entries.empty() && record_bytes > largest_record_bytes) break;
      body_bytes += record->body.size();
      entries.push_back({owned(record->entry()), record->checksum});
    }
    ++expected;
  }
  return entries;
}

}  // namespace zatt::storage
