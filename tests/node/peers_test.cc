// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using test::NodeFixture;
using test::set_command;

constexpr std::uint64_t most_bytes = 80 << 20;  // 64 MiB wait for the disk, and what is around them

}  // namespace

TEST_CASE("peers: a follower whose disk hangs takes only so much, and goes on where it stopped") {
  NodeFixture fixture("1");
  fixture.follow("0");
  const std::string command = set_command("k", '"' + std::string(200'000, 'x') + '"');
  fixture.disk_held = true;
  Index taken{};
  do {
    fixture.leader_appends({command}, false);
    fixture.settle();
    taken = fixture.node->raft().log().last_index();
    REQUIRE(fixture.leader_last < Index{1000});
  } while (taken == fixture.leader_last);
  CHECK(fixture.node->raft().log().bytes_in_memory() > most_bytes / 2);
  CHECK(fixture.node->raft().log().bytes_in_memory() < most_bytes);
  fixture.disk_held = false;
  fixture.run_batch();
  fixture.settle();
  fixture.leader_last = taken;
  fixture.leader_appends({command}, false);
  fixture.settle();
  CHECK(fixture.node->raft().log().last_index() == taken + 1);
}

TEST_CASE("peers: a leader whom a majority does not follow takes only so much") {
  NodeFixture fixture("0");
  fixture.lead();
  const std::string value = '"' + std::string(900'000, 'x') + '"';
  std::string last;
  for (int i = 0; i < 300 && last.find("overloaded") == std::string::npos; ++i) {
    const ClientId c = fixture.client();
    fixture.line(c, R"({"op":"set","key":"k","timeout_ms":100,"value":)" + value + "}");
    fixture.settle();
    fixture.pass_ms(150);  // its time is up, and its entry stays
    for (const char* id : {"1", "2"})
      for (const auto& beat : fixture.peer(id).take_all<raft::Heartbeat>())
        fixture.peer(id).say(
            raft::HeartbeatReply{beat.term, beat.round, {}, {}, DiskSpace::enough});
    const std::vector<std::string> said = fixture.replies(c);
    REQUIRE(said.size() == 1);
    last = said[0];
  }
  CHECK(last.find("overloaded") != std::string::npos);
  CHECK(fixture.node->raft().is_leader());
  CHECK(fixture.node->raft().log().bytes_in_memory() < most_bytes);
}

}  // namespace zatt::node
