// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/request_table.h"

#include <doctest/doctest.h>

#include <deque>
#include <set>
#include <vector>

#include "base/prng.h"

namespace zatt::node {

TEST_CASE("request table: finds what is there, and nothing else") {
  RequestTable table;
  PendingRequest first, second;
  CHECK(table.size() == 0);
  CHECK(table.find(RequestId{}) == nullptr);
  table.add(first);
  table.add(second);
  CHECK(table.size() == 2);
  CHECK(table.find(first.id) == &first);
  CHECK(table.find(second.id) == &second);
  CHECK(table.find(RequestId{}) == nullptr);
  CHECK(table.find(RequestId{raw(first.id) + 2}) == nullptr);  // a place there never was
  table.remove(first);
  CHECK(table.size() == 1);
  CHECK(table.find(first.id) == nullptr);
  CHECK(table.find(second.id) == &second);
}

TEST_CASE("request table: a place that is used again has another id") {
  RequestTable table;
  PendingRequest pending, next;
  table.add(pending);
  const RequestId earlier = pending.id;
  table.remove(pending);
  table.add(next);
  CHECK(next.id != earlier);
  CHECK(table.find(earlier) == nullptr);
  CHECK(table.find(next.id) == &next);
  CHECK(table.size() == 1);
}

TEST_CASE("request table: no id is given twice, in whatever order requests come and go") {
  RequestTable table;
  Prng prng(1);
  std::deque<PendingRequest> there;
  std::set<RequestId> given;
  std::vector<RequestId> gone;
  for (int i = 0; i < 5'000; ++i) {
    if (there.empty() || prng.chance(1, 2)) {
      table.add(there.emplace_back());
      REQUIRE(given.insert(there.back().id).second);
    } else {
      PendingRequest& leaving = prng.chance(1, 2) ? there.front() : there.back();
      table.remove(leaving);
      gone.push_back(leaving.id);
      if (&leaving == &there.front())
        there.pop_front();
      else
        there.pop_back();
    }
    REQUIRE(table.size() == there.size());
  }
  for (PendingRequest& pending : there) CHECK(table.find(pending.id) == &pending);
  for (const RequestId id : gone) REQUIRE(table.find(id) == nullptr);
}

}  // namespace zatt::node
