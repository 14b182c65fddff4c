// SPDX-License-Identifier: AGPL-3.0-or-later
// Nodes on a libuv loop of the host's, which turns it and closes it.
#include "tests/capi/hosts.h"
#include "tests/support/syncs.h"

using namespace zatt::capi::test;

namespace {

struct OnLoop {
  uv_loop_t loop;
  TemporaryDirectory directory;

  explicit OnLoop(const std::string& where = "/tmp") : directory(where) {
    REQUIRE(uv_loop_init(&loop) == 0);
  }
  // Nothing of a node's is left in it, after one turn more.
  ~OnLoop() {
    uv_run(&loop, UV_RUN_NOWAIT);
    CHECK(uv_loop_close(&loop) == 0);
  }
  bool until(const std::function<bool()>& so) { return turn_until(loop, so); }

  Reply ask(Host& host, const zatt_request& request) {
    Replies replies;
    REQUIRE(zatt_node_send(host.node, &request, Replies::take, &replies) == ZATT_OK);
    CHECK(replies.size() == 0);  // never from within the call
    REQUIRE(until([&] { return replies.size() == 1; }));
    return replies.all[0];
  }
};

}  // namespace

TEST_CASE("zatt_node on a host's loop: three on one, with a list, through a restart") {
  OnLoop world;
  const std::string config = config_of(free_ports(3));
  std::vector<std::string> want;
  for (int round = 0; round < 2; ++round) {
    std::vector<std::unique_ptr<Host>> hosts;
    for (std::size_t i = 0; i < 3; ++i) {
      hosts.push_back(std::make_unique<Host>());
      hosts[i]->loop = &world.loop;
      hosts[i]->with_list = true;
      const std::string id = std::to_string(i);
      REQUIRE(hosts[i]->open(config, id, world.directory / id) == ZATT_OK);
    }
    for (const auto& host : hosts) {
      want.push_back("item " + std::to_string(want.size()));
      const Reply reply = world.ask(*host, request_of(ZATT_OP_PROPOSE, "", want.back()));
      CHECK_MESSAGE(reply.error == ZATT_OK, reply.message);
      CHECK(reply.value == "#" + std::to_string(want.size()));
    }
    for (const auto& host : hosts) {
      CHECK(world.ask(*host, request_of(ZATT_OP_BARRIER)).error == ZATT_OK);
      CHECK(host->list.get() == want);
      CHECK(std::string(host->state().leader) == hosts[0]->state().leader);
    }
  }
}

TEST_CASE("zatt_node on a host's loop: its end does not end the loop, and does not hold it") {
  OnLoop world;
  Host host;
  host.loop = &world.loop;
  REQUIRE(host.open(config_of(free_ports(1)), "0", world.directory / "0") == ZATT_OK);
  CHECK(world.ask(host, request_of(ZATT_OP_SET, "k", "1")).error == ZATT_OK);
  SUBCASE("stopped: the loop runs dry by itself, and on_stop is called from it") {
    zatt_node_stop(host.node);
    CHECK(host.stops.empty());
    uv_run(&world.loop, UV_RUN_DEFAULT);
    CHECK(host.stops == std::vector<int>{ZATT_OK});
  }
  SUBCASE("a failed disk likewise") {
    zatt::test::syncs_fail = true;
    CHECK(world.ask(host, request_of(ZATT_OP_SET, "k", "2")).error == ZATT_EUNKNOWN);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    zatt::test::syncs_fail = false;
    CHECK(host.stops == std::vector<int>{ZATT_EDISK});
  }
  SUBCASE("the host's own handles live on") {
    uv_timer_t timer;
    bool fired = false;
    uv_timer_init(&world.loop, &timer);
    timer.data = &fired;
    uv_timer_start(
        &timer, [](uv_timer_t* t) { *static_cast<bool*>(t->data) = true; }, 50, 0);
    zatt_node_stop(host.node);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    CHECK(fired);
    uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    uv_run(&world.loop, UV_RUN_NOWAIT);
  }
  const zatt_request ping = request_of(ZATT_OP_PING);
  CHECK(zatt_node_send(host.node, &ping, nullptr, nullptr) == ZATT_ESTOPPED);
}

TEST_CASE("zatt_node on a host's loop: closed at once, from every state, without on_stop") {
  OnLoop world;
  Host host;
  host.loop = &world.loop;
  Replies replies;
  const zatt_request set = request_of(ZATT_OP_SET, "k", "1");
  const zatt_request get = request_of(ZATT_OP_GET, "k");
  const std::string alone = config_of(free_ports(1));
  const std::string storage = world.directory / "0";
  SUBCASE("before the loop has turned") {
    REQUIRE(host.open(alone, "0", storage) == ZATT_OK);
    REQUIRE(zatt_node_send(host.node, &set, Replies::take, &replies) == ZATT_OK);
    host.close();
    REQUIRE(replies.size() == 1);
    CHECK(replies.all[0].error == ZATT_ECANCELED);  // the node never had it
  }
  SUBCASE("while requests wait in the node") {
    REQUIRE(host.open(config_of(free_ports(3)), "0", storage) == ZATT_OK);
    REQUIRE(zatt_node_send(host.node, &set, Replies::take, &replies) == ZATT_OK);
    REQUIRE(zatt_node_send(host.node, &get, Replies::take, &replies) == ZATT_OK);
    for (int i = 0; i < 10; ++i) uv_run(&world.loop, UV_RUN_NOWAIT);
    host.close();
    REQUIRE(replies.size() == 2);
    CHECK(replies.all[0].error == ZATT_EUNKNOWN);
    CHECK(replies.all[1].error == ZATT_ECANCELED);
  }
  SUBCASE("while it stops") {
    REQUIRE(host.open(config_of(free_ports(3)), "0", storage) == ZATT_OK);
    zatt_node_stop(host.node);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    host.close();
  }
  SUBCASE("while a batch is with the disk") {
    REQUIRE(host.open(alone, "0", storage) == ZATT_OK);
    REQUIRE(world.until([&] { return host.state().role == ZATT_ROLE_LEADER; }));
    REQUIRE(zatt_node_send(host.node, &set, Replies::take, &replies) == ZATT_OK);
    for (int i = 0; i < 3; ++i) uv_run(&world.loop, UV_RUN_NOWAIT);
    host.close();
    CHECK(replies.size() == 1);
  }
  CHECK(host.stops.empty());
}

TEST_CASE("zatt_node on a host's loop: no call that waits, and no close from its callbacks") {
  OnLoop world;
  Host host;
  host.loop = &world.loop;
  host.with_list = true;
  int busy = 0;
  const auto misbehave = [&] {
    if (zatt_node_close(host.node) == ZATT_EBUSY) ++busy;
  };
  host.list.on_apply = misbehave;
  host.on_stop_too = misbehave;
  REQUIRE(host.open(config_of(free_ports(1)), "0", world.directory / "0") == ZATT_OK);
  const zatt_request ping = request_of(ZATT_OP_PING);
  CHECK(zatt_node_call(host.node, &ping, nullptr, nullptr) == ZATT_EBUSY);
  Replies replies;
  replies.on_reply = misbehave;
  const zatt_request command = request_of(ZATT_OP_PROPOSE, "", "x");
  REQUIRE(zatt_node_send(host.node, &command, Replies::take, &replies) == ZATT_OK);
  REQUIRE(world.until([&] { return replies.size() == 1; }));
  zatt_node_stop(host.node);
  REQUIRE(world.until([&] { return host.stops.size() == 1; }));
  CHECK(busy == 3);
}

TEST_CASE("zatt_node on a host's loop: opened and closed a thousand times, nothing is left") {
  OnLoop world("/dev/shm");  // syncs cost nothing there
  const std::string config = config_of(free_ports(1));
  std::size_t files_before = 0;
  std::size_t threads_before = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i == 10) {
      files_before = open_files();
      threads_before = threads();
    }
    Host host;
    host.loop = &world.loop;
    REQUIRE(host.open(config, "0", world.directory / std::to_string(i % 10)) == ZATT_OK);
    for (int turn = 0; turn < i % 5; ++turn) uv_run(&world.loop, UV_RUN_NOWAIT);
    host.close();
    uv_run(&world.loop, UV_RUN_NOWAIT);
  }
  CHECK(open_files() == files_before);
  CHECK(threads() == threads_before);
}
