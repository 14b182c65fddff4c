// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/disk_rate.h"

#include <doctest/doctest.h>

using zatt::raft::DiskRate;

TEST_CASE("disk rate: rises at once and sinks slowly, and little says nothing") {
  DiskRate rate;
  rate.note(4000, 10'000);
  CHECK(rate.bytes_per_s() == 0);
  rate.note(1'000'000, 500'000);
  CHECK(rate.bytes_per_s() == 2'000'000);
  rate.note(1'000'000, 2'000'000);  // a stall
  CHECK(rate.bytes_per_s() == 1'625'000);
  rate.note(4000, 2'000'000);
  CHECK(rate.bytes_per_s() == 1'625'000);
  rate.note(8'000'000, 1'000'000);
  CHECK(rate.bytes_per_s() == 8'000'000);
  rate.note(1'000'000, 0);
  CHECK(rate.bytes_per_s() == 1'000'000'000'000);
}
