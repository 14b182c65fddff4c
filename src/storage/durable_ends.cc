// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/durable_ends.h"

#include <algorithm>
#include <utility>

namespace zatt::storage {

void DurableEnds::expect(const LogEndRecord& record) {
  record_ = record;
  expect(record.end.index, record.end.checksum);
}

void DurableEnds::expect(const SegmentHeader& header) {
  headers_.push_back(header);
  if (header.copied_index > Index{0}) expect(header.copied_index, header.copied_checksum);
}

void DurableEnds::expect(Index index, std::uint64_t checksum) {
  expected_.emplace(index, Expected{checksum, false, false});
}

const DurableEnds::Expected* DurableEnds::find(Index index, std::uint64_t checksum) const {
  for (auto [at, end] = expected_.equal_range(index); at != end; ++at)
    if (at->second.checksum == checksum) return &at->second;
  return nullptr;
}

DurableEnds::Expected* DurableEnds::find(Index index, std::uint64_t checksum) {
  return const_cast<Expected*>(std::as_const(*this).find(index, checksum));
}

void DurableEnds::saw(Index index, std::uint64_t checksum) {
  if (Expected* expected = find(index, checksum)) expected->is_seen = true;
}

void DurableEnds::served(const LogEnd& end) {
  if (Expected* expected = find(end.index, end.checksum)) expected->is_served = true;
}

// Of an entry that `segment` or one before it held: a later header ended the log before it, or a
// snapshot holds it, or the log as it lies does not go through that snapshot's end.
bool DurableEnds::is_moot(std::uint64_t segment, Index index, const Served& log) const {
  if (index <= log.base || !log.goes_through_base) return true;
  return std::any_of(headers_.begin(), headers_.end(), [&](const SegmentHeader& header) {
    return header.segment > segment && header.first_index() <= index;
  });
}

bool DurableEnds::is_predecessor(const LogEnd& end) const {
  return std::any_of(headers_.begin(), headers_.end(), [&](const SegmentHeader& header) {
    return header.predecessor.index == end.index && header.predecessor.checksum == end.checksum;
  });
}

// Nothing vouched for them but the start that copied them, and spoke of them from then on. A later
// header vouches for what stands before it, or has replaced it.
std::optional<DurableEnds::Missing> DurableEnds::missing_copied_end(const Served& log) const {
  if (headers_.empty()) return std::nullopt;
  const SegmentHeader& header = headers_.back();
  const Index index = header.copied_index;
  if (index == Index{0} || is_moot(header.segment, index, log)) return std::nullopt;
  const Expected* copied = find(index, header.copied_checksum);
  if (copied->is_served) return std::nullopt;
  return Missing{index, record_.is_clean || copied->is_seen, header.segment, ""};
}

std::optional<DurableEnds::Missing> DurableEnds::missing_log_end(const Served& log) const {
  if (record_.segment == 0) return std::nullopt;
  const Index index = record_.end.index;
  const std::uint64_t newest = headers_.empty() ? 0 : headers_.back().segment;
  // Where its records are there, under a bad header, they may have been more: how long the file was
  // is not known.
  if (newest < record_.segment)
    return Missing{index, record_.is_clean, record_.segment,
                   "the log's last segment is missing or unreadable"};
  if (index == Index{0} || is_moot(record_.segment, index, log)) return std::nullopt;
  const Expected* end = find(index, record_.end.checksum);
  if (is_predecessor(record_.end) || end->is_served) return std::nullopt;
  // Beyond damage in what came before it, it may be there, and then what came after it is too.
  if (log.is_damaged && end->is_seen) return std::nullopt;
  return Missing{index, record_.is_clean || end->is_seen, record_.segment, ""};
}

}  // namespace zatt::storage
