// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/read_queue.h"

#include <doctest/doctest.h>

namespace zatt::raft {

TEST_CASE("read queue: a round confirms what came before it began, and nothing that came later") {
  ReadQueue queue;
  CHECK(!queue.is_round_under_way());
  queue.push(1, Index{4});
  queue.push(2, Index{5});
  queue.begin_round();
  CHECK(queue.round() == 1);
  CHECK(queue.is_round_under_way());
  queue.push(3, Index{6});
  std::vector<ReadState> out;
  queue.finish_round(out);
  CHECK(!queue.is_round_under_way());
  REQUIRE(out.size() == 2);
  CHECK(out[0].id == 1);
  CHECK(out[0].confirmed);
  CHECK(out[0].index == Index{4});
  CHECK(out[1].id == 2);
  CHECK(!queue.empty());
  out.clear();
  queue.begin_round();
  CHECK(queue.round() == 2);
  queue.finish_round(out);
  REQUIRE(out.size() == 1);
  CHECK(out[0].id == 3);
  CHECK(queue.empty());
}

TEST_CASE("read queue: all of them fail together, asked about or not") {
  ReadQueue queue;
  queue.push(1, Index{4});
  queue.begin_round();
  queue.push(2, Index{5});
  std::vector<ReadState> out;
  queue.fail_all(out);
  REQUIRE(out.size() == 2);
  CHECK(!out[0].confirmed);
  CHECK(!out[1].confirmed);
  CHECK(out[1].id == 2);
  CHECK(queue.empty());
}

}  // namespace zatt::raft
