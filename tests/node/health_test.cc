// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/health.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t second = 1'000'000;

Picture well() {
  Picture picture;
  picture.led = true;
  picture.term = 3;
  picture.peers["1"].connected = true;
  picture.peers["2"].connected = true;
  return picture;
}

std::string lines(const std::vector<HealthEvent>& events) {
  std::string all;
  for (const HealthEvent& event : events)
    all += (event.level == LogLevel::warning ? "! " : "") + event.text + "\n";
  return all;
}

}  // namespace

TEST_CASE("health: a peer is gone, with the reason, and back, after how long") {
  Health health;
  Picture picture = well();
  CHECK(lines(health.look(picture, second)).empty());
  CHECK(health.wake_at_us() == UINT64_MAX);  // an idle node is not woken
  picture.peers["1"] = {false, "nothing listens there", 0};
  CHECK(lines(health.look(picture, 2 * second)) == "! node 1 is gone: nothing listens there\n");
  CHECK(lines(health.look(picture, 3 * second)).empty());
  picture.peers["1"] = {true, "", 0};
  CHECK(lines(health.look(picture, 65 * second)) == "node 1 is back after 63 s\n");
}

TEST_CASE("health: a lasting state is said once an hour") {
  Health health;
  Picture picture = well();
  picture.majority = false;
  picture.missing = "node 1, node 2";
  const std::string said = "! no majority is connected: node 1, node 2\n";
  CHECK(lines(health.look(picture, second)) == said);
  CHECK(health.wake_at_us() == second + Health::repeat_us);
  CHECK(lines(health.look(picture, Health::repeat_us)).empty());
  CHECK(lines(health.look(picture, second + Health::repeat_us)) == said);
  picture.majority = true;
  CHECK(lines(health.look(picture, 2 * second + Health::repeat_us)) ==
        "a majority is connected again, after 3601 s\n");
}

TEST_CASE("health: a leader that is lost is said once, and not while there is one") {
  Health health;
  Picture picture = well();
  picture.led = false;
  CHECK(lines(health.look(picture, second)) == "! no leader is known, term 3\n");
  CHECK(lines(health.look(picture, 2 * second)).empty());
  picture.led = true;
  CHECK(lines(health.look(picture, 3 * second)).empty());
}

TEST_CASE("health: far behind and caught up, with room between") {
  Health health;
  Picture picture = well();
  picture.peers["2"].behind = Health::far_behind;
  CHECK(lines(health.look(picture, second)).empty());
  picture.peers["2"].behind = Health::far_behind + 1;
  CHECK(lines(health.look(picture, 2 * second)) == "! node 2 is far behind, by 10001 entries\n");
  CHECK(health.says_behind("2"));
  CHECK(health.wake_at_us() == 3 * second);  // looked at until it is over
  picture.peers["2"].behind = Health::caught_up + 1;
  CHECK(lines(health.look(picture, 3 * second)).empty());
  picture.peers["2"].behind = Health::caught_up;
  CHECK(lines(health.look(picture, 7 * second)) == "node 2 has caught up after 5 s\n");
}

TEST_CASE("health: who is gone is not said to have caught up") {
  Health health;
  Picture picture = well();
  picture.peers["2"].behind = 2 * Health::far_behind;
  CHECK_FALSE(lines(health.look(picture, second)).empty());
  picture.peers["2"] = {};
  CHECK(lines(health.look(picture, 2 * second)) == "! node 2 is gone\n");
  CHECK_FALSE(health.says_behind("2"));
}

TEST_CASE("health: a slow disk, and well again") {
  Health health;
  Picture picture = well();
  picture.disk_slow = true;
  CHECK(lines(health.look(picture, second)) ==
        "! the disk is slow: a write takes longer than a second\n");
  CHECK(lines(health.look(picture, 2 * second)).empty());
  picture.disk_slow = false;
  CHECK(lines(health.look(picture, 4 * second)) == "the disk keeps up again, after 3 s\n");
}

TEST_CASE("health: what stirs it is looked at within a second, however often it does") {
  Health health;
  health.stir(5 * second);
  health.stir(5 * second + 900'000);
  CHECK(health.wake_at_us() == 6 * second);
}

TEST_CASE("health: a leader's peers, its majority and its leadership, a line each within 2 s") {
  test::Stage stage("0", 3);
  stage.lead();
  stage.let_peers_follow();
  stage.pass_ms(2000);
  const auto logged = [&](std::string_view words) { return stage.env.count_logged(words); };
  REQUIRE(logged("is gone") == 0);
  stage.peer("1").disconnect();
  stage.pass_ms(2000);
  CHECK(logged("node 1 is gone") == 1);
  CHECK(logged("no majority") == 0);
  stage.peer("2").disconnect();
  stage.pass_ms(2000);
  CHECK(logged("node 2 is gone") == 1);
  CHECK(logged("no majority is connected: node 1") == 1);
  stage.pass_ms(65'000);  // what lasts is not said again
  CHECK(logged("is gone") == 2);
  CHECK(logged("no majority is connected") == 1);
  CHECK(logged("no leader is known") == 1);
  stage.peer("1").connect();
  stage.pass_ms(2000);
  CHECK(logged("node 1 is back after") == 1);
  CHECK(logged("a majority is connected again, after") == 1);
}

TEST_CASE("health: a disk that hangs is said, and that it keeps up again") {
  test::Stage stage("0", 1);
  stage.lead_alone();
  stage.disk_held = true;
  const node::ClientId client = 77;
  stage.node->on_client_open(client);
  stage.line(client, R"({"op":"set","key":"k","value":1})");
  stage.pass_ms(2000);
  CHECK(stage.env.count_logged("the disk is slow") == 1);
  stage.disk_held = false;
  stage.settle();
  stage.line(client, R"({"op":"set","key":"k","value":2})");
  stage.settle();
  stage.pass_ms(2000);
  CHECK(stage.env.count_logged("the disk is slow") == 1);
  CHECK(stage.env.count_logged("the disk keeps up again") == 1);
}

TEST_CASE("health: a voter without a leader says so in its status") {
  test::Stage stage("0", 3);
  stage.lead();
  stage.peer("1").disconnect();
  stage.peer("2").disconnect();
  stage.pass_ms(5000);
  CHECK(stage.ask(R"({"op":"status"})").find("\"notice\":\"no majority is connected: node 1") !=
        std::string::npos);
}

}  // namespace zatt::node
