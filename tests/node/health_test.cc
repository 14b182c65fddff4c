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
  picture.peers["1"] = {false, "nothing listens there", "", {}};
  CHECK(lines(health.look(picture, 2 * second)) == "! node 1 is gone: nothing listens there\n");
  CHECK(lines(health.look(picture, 3 * second)).empty());
  picture.peers["1"] = {true, "", "", {}};
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

TEST_CASE("health: a refusal is the reason of an absence, and another one is news, once") {
  Health health;
  Picture picture = well();
  picture.peers["1"] = {false, "nothing listens there", "", {}};
  CHECK(lines(health.look(picture, second)) == "! node 1 is gone: nothing listens there\n");
  picture.peers["1"].why = "no route";
  CHECK(lines(health.look(picture, 2 * second)).empty());
  const std::string refused = "! node 1 is still gone, after 2 s: it refuses this node: a\n";
  picture.peers["1"].refusal = "it refuses this node: a";
  CHECK(lines(health.look(picture, 3 * second)) == refused);
  picture.peers["1"].refusal = "it is refused: b";
  CHECK(lines(health.look(picture, 4 * second)) ==
        "! node 1 is still gone, after 3 s: it is refused: b\n");
  for (std::uint64_t n = 5; n < 100; ++n) {  // they take turns
    picture.peers["1"].refusal = n % 2 == 1 ? "it refuses this node: a" : "it is refused: b";
    CHECK(lines(health.look(picture, n * second)).empty());
  }
  for (std::uint64_t n = 100; n < 200; ++n) {  // and some have many words
    picture.peers["1"].refusal = "it is refused: " + std::to_string(n);
    CHECK(lines(health.look(picture, n * second)).empty() == (n >= 114));
  }
}

TEST_CASE("health: whoever leads no longer says of nobody that it has caught up") {
  Health health;
  Picture picture = well();
  picture.peers["2"].behind = 2 * Health::far_behind;
  CHECK_FALSE(lines(health.look(picture, second)).empty());
  picture.peers["2"].behind.reset();
  CHECK(lines(health.look(picture, 2 * second)).empty());
  CHECK_FALSE(health.says_behind("2"));
}

TEST_CASE("health: a full disk, its reserve used up, each hour, and room again") {
  Health health;
  Picture picture = well();
  picture.storage = "d";
  picture.no_room = "d: the disk is full";
  picture.room = DiskSpace::low;
  const std::string full =
      "! d: the disk is full; writes that need more room are refused until there is some\n";
  const std::string used_up =
      "! d: the disk is full and its reserve is used up; all writes are refused until there is "
      "room\n";
  CHECK(lines(health.look(picture, second)) == full);
  CHECK(health.wake_at_us() == second + Health::repeat_us);
  picture.room = DiskSpace::full;
  CHECK(lines(health.look(picture, 2 * second)) == used_up);
  picture.room = DiskSpace::low;  // back and forth is no news
  CHECK(lines(health.look(picture, 3 * second)).empty());
  picture.room = DiskSpace::full;
  CHECK(lines(health.look(picture, 4 * second)).empty());
  CHECK(lines(health.look(picture, 1 * second + Health::repeat_us)).empty());
  CHECK(lines(health.look(picture, 2 * second + Health::repeat_us)) == used_up);
  picture.room = DiskSpace::enough;
  CHECK(lines(health.look(picture, 3 * second + Health::repeat_us)) ==
        "d: the disk has room again, after 3602 s\n");
  picture.room = DiskSpace::full;
  CHECK(lines(health.look(picture, 4 * second + Health::repeat_us)) == used_up);
}

TEST_CASE("health: each lasting state is said again each hour, and no more often") {
  Health health;
  Picture picture = well();
  picture.peers["1"] = {};
  picture.peers["2"].behind = Health::far_behind + 1;
  picture.majority = picture.led = false;
  picture.disk_slow = true;
  picture.room = DiskSpace::low;
  std::size_t said = 0;
  constexpr std::uint64_t hours = 5;
  for (std::uint64_t s = 0; s < hours * 3600; s += 10)
    said += health.look(picture, s * second).size();
  CHECK(said == 6 * hours);
}

TEST_CASE("health: what stirs it is looked at within a second, however often it does") {
  Health health;
  health.stir(5 * second);
  health.stir(5 * second + 900'000);
  CHECK(health.wake_at_us() == 6 * second);
}

TEST_CASE("health: a leader's peers, its majority and its leadership, a line each within 2 s") {
  test::NodeFixture fixture("0", 3);
  fixture.lead();
  fixture.let_peers_follow();
  fixture.pass_ms(2000);
  const auto logged = [&](std::string_view words) { return fixture.env.count_logged(words); };
  REQUIRE(logged("is gone") == 0);
  fixture.peer("1").disconnect();
  fixture.pass_ms(2000);
  CHECK(logged("node 1 is gone") == 1);
  CHECK(logged("no majority") == 0);
  fixture.peer("2").disconnect();
  fixture.pass_ms(2000);
  CHECK(logged("node 2 is gone") == 1);
  CHECK(logged("no majority is connected: node 1") == 1);
  fixture.pass_ms(65'000);  // what lasts is not said again
  CHECK(logged("is gone") == 2);
  CHECK(logged("no majority is connected") == 1);
  CHECK(logged("no leader is known") == 1);
  fixture.peer("1").connect();
  fixture.pass_ms(2000);
  CHECK(logged("node 1 is back after") == 1);
  CHECK(logged("a majority is connected again, after") == 1);
}

TEST_CASE("health: a disk that hangs is said, and that it keeps up again") {
  test::NodeFixture fixture("0", 1);
  fixture.lead_alone();
  fixture.disk_held = true;
  const node::ClientId client{77};
  fixture.node->on_client_open(client);
  fixture.line(client, R"({"op":"set","key":"k","value":1})");
  fixture.settle();
  fixture.pass_ms(2100);
  CHECK(fixture.env.count_logged("the disk is slow") == 1);
  const std::string status = fixture.ask(R"({"op":"status"})");
  CHECK(
      status.find("\"notice\":\"the disk of zatt.0.persist has been busy with one write for 2 s") !=
      std::string::npos);
  fixture.disk_held = false;
  fixture.settle();
  CHECK(fixture.ask(R"({"op":"status"})").find("notice") == std::string::npos);
  // Now nothing is written, and so nothing waits for it.
  fixture.pass_ms(9'000);
  CHECK(fixture.env.count_logged("the disk keeps up again") == 0);
  fixture.pass_ms(2'000);
  CHECK(fixture.env.count_logged("the disk keeps up again") == 1);
  fixture.pass_ms(60'000);
  CHECK(fixture.env.count_logged("the disk") == 2);
}

TEST_CASE("health: a disk that is slow now and then is said to be so once") {
  test::NodeFixture fixture("0", 1);
  fixture.lead_alone();
  const node::ClientId client{77};
  fixture.node->on_client_open(client);
  for (int i = 0; i < 10; ++i) {
    fixture.disk_held = i % 2 == 0;
    fixture.line(client, R"({"op":"set","key":"k","value":1})");
    fixture.settle();
    fixture.pass_ms(1500);
    fixture.disk_held = false;
    fixture.settle();
    fixture.pass_ms(1500);
  }
  fixture.pass_ms(12'000);
  CHECK(fixture.env.count_logged("the disk is slow") == 1);
  CHECK(fixture.env.count_logged("the disk keeps up again") == 1);
}

TEST_CASE("health: a link that ends is a reason, until there is a better one") {
  test::NodeFixture fixture("1");
  fixture.follow("0");
  fixture.pass_ms(2000);
  fixture.node->on_link_down(fixture.peer("0").link, "connection reset by peer");
  fixture.fall_silent();
  fixture.node->on_link_down(fixture.peer("2").link, "it closed the connection");
  fixture.node->on_dial_failed("2", "nothing listens there");
  fixture.pass_ms(2000);
  CHECK(fixture.env.count_logged("node 0 is gone: connection reset by peer") == 1);
  CHECK(fixture.env.count_logged("node 2 is gone: nothing listens there") == 1);
  CHECK(fixture.env.count_logged("is gone") == 2);
}

TEST_CASE("health: a voter without a leader says so in its status") {
  test::NodeFixture fixture("0", 3);
  fixture.lead();
  fixture.peer("1").disconnect();
  fixture.peer("2").disconnect();
  fixture.pass_ms(5000);
  CHECK(fixture.ask(R"({"op":"status"})").find("\"notice\":\"no majority is connected: node 1") !=
        std::string::npos);
}

}  // namespace zatt::node
