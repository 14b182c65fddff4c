// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/send_buffer.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt::client;

TEST_CASE("send buffer: what was put there waits in order, until it is taken") {
  SendBuffer out;
  out.bytes() += "one\n";
  const std::uint64_t second = out.queued_bytes();
  out.bytes() += "two\n";
  CHECK(out.waiting() == "one\ntwo\n");
  out.on_sent(4);
  CHECK(out.waiting() == "two\n");
  CHECK(out.has_sent_from(0));
  CHECK(!out.has_sent_from(second));  // up to there, and no byte of it
  out.on_sent(1);
  CHECK(out.has_sent_from(second));
  out.on_sent(3);
  CHECK(out.waiting().empty());
  CHECK(out.queued_bytes() == 8);
}

TEST_CASE("send buffer: full at 256 KiB that wait, whatever was sent before") {
  SendBuffer out;
  const std::string most(256 << 10, 'x');
  for (int i = 0; i < 3; ++i) {
    CHECK(!out.is_full());
    out.bytes() += most;
    CHECK(out.is_full());
    out.on_sent(1);
    CHECK(!out.is_full());
    CHECK(out.waiting().size() == most.size() - 1);
    out.on_sent(most.size() - 1);
  }
  CHECK(out.queued_bytes() == 3 * most.size());
}
