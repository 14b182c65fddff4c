// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/log_extent.h"

#include <doctest/doctest.h>

#include <vector>

using namespace zatt;
using namespace zatt::storage;

namespace {

// Entries 1 to 6 in segment 1, from 7 on in segment 2.
std::vector<Segment> two_segments() {
  std::vector<Segment> segments(2);
  segments[0].number = 1;
  segments[0].end = 5 * unit;
  segments[0].note(Index{1}, unit);
  segments[1].number = 2;
  segments[1].predecessor.index = Index{6};
  segments[1].end = 3 * unit;
  segments[1].note(Index{7}, unit);
  return segments;
}

}  // namespace

TEST_CASE("find_extent: within one segment, and no further than the log goes") {
  struct Row {
    const char* why;
    Index first;
    Index last;
    std::uint64_t segment;
    Index want;
  };
  const Row rows[] = {
      {"to the end of its segment", Index{2}, Index{9}, 1, Index{6}},
      {"the segment that holds it", Index{7}, Index{9}, 2, Index{9}},
      {"a cut that waits lies before the next segment", Index{2}, Index{4}, 1, Index{4}},
      {"a cut at the boundary", Index{6}, Index{6}, 1, Index{6}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto extent = find_extent(two_segments(), row.first, row.last, 1 << 20);
    REQUIRE(extent.has_value());
    CHECK(extent->segment == row.segment);
    CHECK(extent->wanted == row.first);
    CHECK(extent->last == row.want);
  }
  CHECK(!find_extent(two_segments(), Index{5}, Index{4}, 1).has_value());
  CHECK(!find_extent({}, Index{1}, Index{4}, 1).has_value());
}

TEST_CASE("find_extent: where it ends the next one begins") {
  std::vector<Segment> segments = two_segments();
  segments[0].end = 100 * unit;
  segments[0].note(Index{3}, 20 * unit);
  segments[0].note(Index{5}, 40 * unit);
  const auto first = find_extent(segments, Index{1}, Index{9}, 1);
  REQUIRE(first);
  CHECK(first->ends == Index{2});
  CHECK(first->offset + first->length == 20 * unit);
  CHECK(find_extent(segments, Index{3}, Index{9}, 1)->ends == Index{4});
  CHECK(find_extent(segments, Index{4}, Index{9}, 1 << 20)->ends == Index{4});  // 256 KiB at once
  CHECK(find_extent(segments, Index{5}, Index{9}, 1)->ends == Index{6});
  CHECK(find_extent(segments, Index{1}, Index{1}, 1)->ends == Index{1});  // the log ends before
}
