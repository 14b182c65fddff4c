// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

using test::set_command;
using test::Stage;

constexpr std::uint64_t most_bytes = 80 << 20;  // 64 MiB wait for the disk, and what is around them

}  // namespace

TEST_CASE("peers: a follower whose disk hangs takes only so much, and goes on where it stopped") {
  Stage stage("1");
  stage.follow("0");
  const std::string command = set_command("k", '"' + std::string(200'000, 'x') + '"');
  stage.disk_held = true;
  Index taken{};
  do {
    stage.leader_appends({command}, false);
    stage.settle();
    taken = stage.node->raft().log().last_index();
    REQUIRE(stage.leader_last < Index{1000});
  } while (taken == stage.leader_last);
  CHECK(stage.node->raft().log().bytes_in_memory() > most_bytes / 2);
  CHECK(stage.node->raft().log().bytes_in_memory() < most_bytes);
  stage.disk_held = false;
  stage.run_batch();
  stage.settle();
  stage.leader_last = taken;
  stage.leader_appends({command}, false);
  stage.settle();
  CHECK(stage.node->raft().log().last_index() == taken + 1);
}

TEST_CASE("peers: a leader whom a majority does not follow takes only so much") {
  Stage stage("0");
  stage.lead();
  const std::string value = '"' + std::string(900'000, 'x') + '"';
  std::string last;
  for (int i = 0; i < 300 && last.find("overloaded") == std::string::npos; ++i) {
    const ClientId c = stage.client();
    stage.line(c, R"({"op":"set","key":"k","timeout_ms":100,"value":)" + value + "}");
    stage.settle();
    stage.pass_ms(150);  // its time is up, and its entry stays
    for (const char* id : {"1", "2"})
      for (const auto& beat : stage.peer(id).take_all<raft::Heartbeat>())
        stage.peer(id).say(raft::HeartbeatReply{beat.term, beat.round, {}, {}, DiskSpace::enough});
    const std::vector<std::string> said = stage.replies(c);
    REQUIRE(said.size() == 1);
    last = said[0];
  }
  CHECK(last.find("overloaded") != std::string::npos);
  CHECK(stage.node->raft().is_leader());
  CHECK(stage.node->raft().log().bytes_in_memory() < most_bytes);
}

}  // namespace zatt::node
