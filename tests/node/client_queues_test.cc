// SPDX-License-Identifier: AGPL-3.0-or-later
// How much the requests of all clients may take, and how much one client's.
#include "node/client_queues.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/node/protocol_text.h"
#include "tests/node/reads.h"

namespace zatt::node {
namespace {

using test::is_error;
using test::Lines;
using test::NodeFixture;

const std::string ping = R"({"op":"ping"})";

}  // namespace

TEST_CASE("client queues: past their share of max_buffer_bytes the node sheds load") {
  NodeFixture fixture("0");
  REQUIRE(fixture.open());
  const std::string large =
      R"({"op":"set","key":"k","value":")" + std::string(1 << 20, 'x') + R"("})";
  std::vector<ClientId> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(fixture.client());
    fixture.line(clients.back(), large);
  }
  fixture.settle();
  std::size_t refused = 0;
  for (const ClientId c : clients)
    for (const std::string& line : fixture.replies(c))
      refused += is_error(line, "overloaded", "too many requests wait already");
  CHECK(refused >= 8);  // the default is 64 MiB, half of it for requests
  CHECK(refused <= 10);
  // What is small finds room for longer, until many ask for it.
  std::size_t more = 0;
  for (Lines said; said.empty(); ++more) {
    REQUIRE(more < 4000);
    clients.push_back(fixture.client());
    fixture.line(clients.back(), get_k);
    fixture.settle();
    said = fixture.replies(clients.back());
    CHECK((said.empty() || is_error(said[0], "overloaded")));
  }
  CHECK(more > 100);
  CHECK(fixture.ask(ping) == R"({"ok":true})");
  CHECK(fixture.ask(R"({"op":"get","key":"k","stale":true})").find("\"ok\":true") !=
        std::string::npos);
  for (const ClientId c : clients) fixture.node->on_client_closed(c);
  CHECK(fixture.ask(get_k) == "");  // it waits, as there is room again
}

}  // namespace zatt::node
