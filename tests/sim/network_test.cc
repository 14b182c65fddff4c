// SPDX-License-Identifier: AGPL-3.0-or-later
// What a cut does: as with TCP, what is sent arrives in the end, in order, or its connection ends.
#include "tests/sim/network.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace zatt::sim {
namespace {

// Two machines, each with one process, that note down what they hear.
struct Ends final : Endpoints {
  std::uint64_t process(NodeNumber node) const override { return node + 1; }
  void deliver_link_up(NodeNumber node, node::LinkId link, bool, NodeNumber) override {
    links[node] = link;
    heard[node] += "up ";
  }
  void deliver_frame(NodeNumber node, node::LinkId, const Frame& frame) override {
    heard[node] += frame.bytes + " ";
  }
  void deliver_link_down(NodeNumber node, node::LinkId) override { heard[node] += "down "; }

  node::LinkId links[2] = {};
  std::string heard[2];
};

struct Stage {
  Stage() {
    network.dial(0, 1);
    run_ms(100);
    ends.heard[0].clear();
    ends.heard[1].clear();
  }
  void say(NodeNumber from, const std::string& text) {
    network.send(from, ends.links[from], node::Priority::bulk,
                 {.bytes = text, .kind = Kind::piece});
  }
  void run_ms(std::uint64_t ms) {
    const std::uint64_t end = scheduler.now_us() + 1000 * ms;
    while (scheduler.run_one(end)) {
    }
  }

  Settings settings;
  Scheduler scheduler;
  Ends ends;
  Coverage coverage;
  Network network{settings, scheduler, ends, coverage};
};

}  // namespace

TEST_CASE("network: what is sent into a cut arrives when it is healed, in order") {
  Stage stage;
  stage.network.cut(0, 1);
  stage.say(0, "a");
  stage.say(0, "b");
  stage.say(1, "x");
  stage.run_ms(1000);
  CHECK(stage.ends.heard[1].empty());
  CHECK(stage.ends.heard[0] == "x ");  // the other way is whole
  stage.network.heal();
  stage.say(0, "c");
  stage.run_ms(100);
  CHECK(stage.ends.heard[1] == "a b c ");
}

TEST_CASE("network: a connection into a cut ends in time, for both, and is made anew") {
  Stage stage;
  stage.network.cut(0, 1);
  stage.run_ms(60'000);
  CHECK(stage.ends.heard[0].empty());  // nobody says anything, and nobody misses an answer
  stage.say(0, "a");
  stage.run_ms(2'000);
  CHECK(stage.ends.heard[0].empty());
  stage.run_ms(20'000);
  CHECK(stage.ends.heard[0] == "down ");
  CHECK(stage.ends.heard[1] == "down ");
  stage.say(0, "into nothing");
  stage.network.heal();
  stage.run_ms(1'000);
  CHECK(stage.ends.heard[0] == "down up ");
  CHECK(stage.ends.heard[1] == "down up ");
}

TEST_CASE(
    "network: an end behind a cut is heard of when it is healed, behind what was sent before") {
  Stage stage;
  stage.network.cut(0, 1);
  stage.say(0, "a");
  stage.network.close(0, stage.ends.links[0]);
  stage.run_ms(500);
  CHECK(stage.ends.heard[0].starts_with("down "));
  CHECK(stage.ends.heard[1].empty());
  stage.network.heal();
  stage.run_ms(500);
  CHECK(stage.ends.heard[1].starts_with("a down "));
}

TEST_CASE("network: a connection that is read late is read as a whole, behind the newer one") {
  Stage stage;
  stage.network.replace_unread(0, 1);
  while (stage.ends.heard[0].find("up") == std::string::npos) stage.run_ms(1);
  stage.say(0, "a");
  stage.say(0, "b");
  stage.run_ms(10'000);
  CHECK(stage.ends.heard[1].find("a b ") != std::string::npos);
  CHECK(stage.ends.heard[1].starts_with("down up "));
}

}  // namespace zatt::sim
