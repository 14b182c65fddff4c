// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/progress.h"

#include <doctest/doctest.h>

namespace zatt::raft {

TEST_CASE("progress: a probe is one AppendEntries, whatever it carries") {
  Progress progress;
  progress.to_probe(Index{5});
  progress.sent(Index{9}, 100, 7);
  CHECK(progress.probing);
  CHECK(progress.probe_sent_us == 7);
  CHECK(progress.next_index == Index{5});  // only an answer moves it
  CHECK(progress.in_flight.empty());
}

TEST_CASE("progress: replicating runs ahead of the answers, and counts what is under way") {
  Progress progress;
  progress.to_replicate(Index{4});
  CHECK(progress.next_index == Index{5});
  progress.sent(Index{6}, 10, 1);
  progress.sent(Index{9}, 20, 2);
  CHECK(progress.next_index == Index{10});
  CHECK(progress.in_flight_bytes == 30);
  progress.received(Index{5});  // half of the first message: nothing has wholly arrived
  CHECK(progress.in_flight_bytes == 30);
  progress.received(Index{6});
  CHECK(progress.in_flight_bytes == 20);
  progress.received(Index{6});  // said again
  CHECK(progress.in_flight_bytes == 20);
  progress.received(Index{9});
  CHECK(progress.in_flight.empty());
  CHECK(progress.in_flight_bytes == 0);
}

TEST_CASE("progress: next_index stays above match_index, and what was under way is forgotten") {
  Progress progress;
  progress.match_index = Index{6};
  progress.to_replicate(Index{8});
  progress.sent(Index{12}, 50, 1);
  progress.fetch = 3;
  progress.to_probe(Index{2});
  CHECK(progress.next_index == Index{7});
  CHECK(progress.in_flight_bytes == 0);
  CHECK(progress.in_flight.empty());
  CHECK(progress.fetch == 0);
  CHECK(!progress.probing);
}

}  // namespace zatt::raft
