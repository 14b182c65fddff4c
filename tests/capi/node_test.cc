// SPDX-License-Identifier: AGPL-3.0-or-later
// Nodes with a thread of their own, one and three in this process.
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/capi/hosts.h"
#include "tests/support/syncs.h"

using namespace zatt::capi::test;

namespace {

// Three nodes that replicate a list.
struct Three {
  TemporaryDirectory directory;
  const std::string config = config_of(free_ports(3));
  std::vector<std::unique_ptr<Host>> hosts;

  Three() { open(); }
  void open() {
    hosts.clear();
    for (int i = 0; i < 3; ++i) {
      hosts.push_back(std::make_unique<Host>());
      hosts[static_cast<std::size_t>(i)]->with_list = true;
    }
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string id = std::to_string(i);
      const int error = hosts[i]->open(config, id, directory / id);
      REQUIRE_MESSAGE(error == ZATT_OK, hosts[i]->why);
    }
  }
  Host& operator[](std::size_t i) { return *hosts[i]; }
};

Reply propose(Host& host, const std::string& command) {
  return host.call(request_of(ZATT_OP_PROPOSE, "", command));
}

Reply barrier(Host& host) { return host.call(request_of(ZATT_OP_BARRIER)); }

}  // namespace

TEST_CASE("zatt_node: a dictionary, asked without a socket") {
  TemporaryDirectory directory;
  Host host;
  REQUIRE(host.open(config_of(free_ports(1)), "0", directory / "0") == ZATT_OK);
  const Reply set = host.call(request_of(ZATT_OP_SET, "k", "[1, \"a\"]"));
  CHECK(set.error == ZATT_OK);
  CHECK(set.rev > 0);
  const Reply get = host.call(request_of(ZATT_OP_GET, "k"));
  CHECK(get.found);
  CHECK(get.value == "[1,\"a\"]");
  CHECK(get.rev == set.rev);
  CHECK(host.call(request_of(ZATT_OP_INCR, "n")).number == 1);
  CHECK(host.call(request_of(ZATT_OP_INCR, "k")).error == ZATT_ECONDITION);
  CHECK(host.call(request_of(ZATT_OP_COUNT)).number == 2);
  CHECK(host.call(request_of(ZATT_OP_PING)).error == ZATT_OK);
  CHECK(host.call(request_of(ZATT_OP_STATUS)).line.find("\"role\":\"leader\"") !=
        std::string::npos);
  CHECK(host.call(request_of(ZATT_OP_LINE, "", "{\"op\":\"ping\",\"id\":7}")).line ==
        "{\"ok\":true,\"id\":7}");
  CHECK(host.call(request_of(ZATT_OP_LINE, "", "no JSON")).error == ZATT_EBADREQUEST);
  const std::string too_long = "\"" + std::string(17 << 20, 'x') + "\"";
  CHECK(host.call(request_of(ZATT_OP_SET, "k", too_long)).error == ZATT_ETOOLARGE);
  for (const int op : {ZATT_OP_PROPOSE, ZATT_OP_BARRIER}) {
    const Reply refused = host.call(request_of(op, "", "command"));
    CHECK(refused.error == ZATT_EBADREQUEST);
    CHECK(refused.message.find("replicates zatt's dictionary") != std::string::npos);
  }
  const zatt_state state = host.state();
  CHECK(state.role == ZATT_ROLE_LEADER);
  CHECK(std::string(state.leader) == "0");
  CHECK(state.last_applied == state.commit_index);

  zatt_node_stop(host.node);
  REQUIRE(host.wait_stop());
  CHECK(host.stops == std::vector<int>{ZATT_OK});
  CHECK(host.call(request_of(ZATT_OP_PING)).error == ZATT_ESTOPPED);
  zatt_state last = {};
  last.size = sizeof last;
  CHECK(zatt_node_state(host.node, &last) == ZATT_ESTOPPED);
  CHECK(last.last_applied == state.last_applied);
  host.close();
  CHECK(host.stops.size() == 1);
}

TEST_CASE("zatt_node: what breaks a rule is refused before anything is there") {
  TemporaryDirectory directory;
  const std::vector<int> ports = free_ports(2);
  Host host;
  SUBCASE("configuration") {
    CHECK(host.open("{", "0", directory / "0") == ZATT_EINVAL);
    CHECK(host.why.find("config:1:") == 0);
    CHECK(host.open(config_of(ports), "7", directory / "0") == ZATT_EINVAL);
    CHECK(host.why == "no node \"7\" in config; it has 0, 1");
    zatt_node_options options = zatt_node_options_of("{}");
    CHECK(zatt_node_open(nullptr, &host.node) == ZATT_EINVAL);
    CHECK(zatt_node_open(&options, nullptr) == ZATT_EINVAL);
    options.config_file = "zatt.conf";
    CHECK(zatt_node_open(&options, &host.node) == ZATT_EINVAL);
    options.config = nullptr;
    options.config_file = "/nowhere/zatt.conf";
    CHECK(zatt_node_open(&options, &host.node) == ZATT_EINVAL);
    options.config_file = nullptr;
    options.timeout_ms = 600'001;
    CHECK(zatt_node_open(&options, &host.node) == ZATT_EINVAL);
    options.timeout_ms = 0;
    zatt_machine machine = {};
    options.machine = &machine;
    CHECK(zatt_node_open(&options, &host.node) == ZATT_EINVAL);
    machine.size = sizeof machine;  // and no apply
    CHECK(zatt_node_open(&options, &host.node) == ZATT_EINVAL);
  }
  SUBCASE("a port and a directory that are taken") {
    const std::string config = config_of({ports[0]});
    Host first;
    REQUIRE(first.open(config, "0", directory / "0") == ZATT_OK);
    CHECK(host.open(config, "0", directory / "1") == ZATT_EADDRESS);
    CHECK(host.why.find("is in use") != std::string::npos);
    CHECK(host.open(config_of({ports[1]}), "0", directory / "0") == ZATT_ESTORAGE);
    CHECK(host.why.find("is in use by process") != std::string::npos);
  }
  SUBCASE("another node's directory") {
    {
      Host first;
      REQUIRE(first.open(config_of({ports[0]}), "0", directory / "0") == ZATT_OK);
    }
    CHECK(host.open("{\"id\":\"a\",\"port\":" + std::to_string(ports[0]) + "}", "a",
                    directory / "0") == ZATT_ESTORAGE);
    CHECK(host.why.find("belongs to node 0") != std::string::npos);
  }
  CHECK(host.node == nullptr);
  CHECK(host.stops.empty());
}

TEST_CASE("zatt_node: damaged storage is an error of open, and is left as it is") {
  TemporaryDirectory directory;
  const std::string config = config_of(free_ports(1));
  {
    Host host;
    REQUIRE(host.open(config, "0", directory / "0") == ZATT_OK);
    for (int i = 0; i < 50; ++i)
      REQUIRE(host.call(request_of(ZATT_OP_SET, "k", std::to_string(i))).error == ZATT_OK);
  }
  int damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory / "0")) {
    if (file.path().extension() != ".seg") continue;
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(4096 + 60);
    bytes.write("damage", 6);
    ++damaged;
  }
  REQUIRE(damaged > 0);
  Host host;
  CHECK(host.open(config, "0", directory / "0") == ZATT_ESTORAGE);
  CHECK(host.why.find("Nothing was changed") != std::string::npos);
}

TEST_CASE("zatt_node: a disk that fails stops it, once, with the code") {
  TemporaryDirectory directory;
  Host host;
  REQUIRE(host.open(config_of(free_ports(1)), "0", directory / "0") == ZATT_OK);
  REQUIRE(host.call(request_of(ZATT_OP_SET, "k", "1")).error == ZATT_OK);
  zatt::test::syncs_fail = true;
  CHECK(host.call(request_of(ZATT_OP_SET, "k", "2")).error == ZATT_EUNKNOWN);
  REQUIRE(host.wait_stop());
  zatt::test::syncs_fail = false;
  CHECK(host.stops == std::vector<int>{ZATT_EDISK});
  CHECK(host.call(request_of(ZATT_OP_GET, "k")).error == ZATT_ESTOPPED);
  zatt_node_stop(host.node);
  host.close();
  CHECK(host.stops.size() == 1);
}

TEST_CASE("zatt_node: three with a list of the host's replicate it and survive restarts") {
  Three nodes;
  std::vector<std::string> want;
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    for (std::size_t i = 0; i < 3; ++i) {
      want.push_back("item " + std::to_string(want.size()) + std::string("\0\n", 2));
      const Reply reply = propose(nodes[i], want.back());
      REQUIRE_MESSAGE(reply.error == ZATT_OK, reply.message);
      CHECK(reply.value == "#" + std::to_string(want.size()));
      CHECK(reply.rev > 0);
      // Whoever is asked, a barrier makes its own list the whole list.
      Host& other = nodes[(i + 1) % 3];
      REQUIRE(barrier(other).error == ZATT_OK);
      CHECK(other.list.get() == want);
    }
    nodes.open();  // all closed first: nothing is left of them but their directories
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE(barrier(nodes[i]).error == ZATT_OK);
      CHECK(nodes[i].list.get() == want);
    }
  }
  const Reply refused = nodes[0].call(request_of(ZATT_OP_GET, "k"));
  CHECK(refused.error == ZATT_EBADREQUEST);
  CHECK(refused.message == "this cluster replicates a state machine of its own");
  CHECK(nodes[0].call(request_of(ZATT_OP_STATUS)).line.find("\"keys\":0,") != std::string::npos);
}

TEST_CASE("zatt_node: the others go on without one, and all know who leads") {
  Three nodes;
  REQUIRE(propose(nodes[0], "a").error == ZATT_OK);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(nodes[i].wait_leader());
  const std::string leader = nodes[0].state().leader;
  const auto at = static_cast<std::size_t>(std::stoi(leader));
  REQUIRE(at < 3);
  CHECK(nodes[at].state().role == ZATT_ROLE_LEADER);
  nodes[at].close();
  // Before it has heard of the end it would hand a proposal to who is gone, and never learn more.
  Host& other = nodes[(at + 1) % 3];
  REQUIRE(other.wait_leader_but(leader));
  const Reply reply = propose(other, "b");
  CHECK_MESSAGE(reply.error == ZATT_OK, reply.message);
  CHECK(std::string(other.state().leader) != leader);
  REQUIRE(nodes[at].open(nodes.config, leader, nodes.directory / leader) == ZATT_OK);
  REQUIRE(nodes[at].wait_leader());
  REQUIRE(barrier(nodes[at]).error == ZATT_OK);
  CHECK(nodes[at].list.get() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("zatt_node: proposals from many threads are all there, once, in each thread's order") {
  Three nodes;
  constexpr int threads = 4;
  constexpr int each = 50;
  std::atomic<int> failed = 0;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (int n = 0; n < each; ++n)
        if (propose(nodes[static_cast<std::size_t>(t % 3)],
                    std::to_string(t) + ":" + std::to_string(n))
                .error != ZATT_OK)
          ++failed;
    });
  for (std::thread& worker : workers) worker.join();
  CHECK(failed == 0);
  REQUIRE(barrier(nodes[0]).error == ZATT_OK);
  const std::vector<std::string> items = nodes[0].list.get();
  CHECK(items.size() == threads * each);
  std::vector<int> next(threads, 0);
  for (const std::string& item : items) {
    const auto t = static_cast<std::size_t>(std::stoi(item));
    CHECK(item == std::to_string(t) + ":" + std::to_string(next[t]++));
  }
}

TEST_CASE("zatt_node: requests take effect in the order sent, however many wait") {
  TemporaryDirectory directory;
  Host host;
  REQUIRE(host.open(config_of(free_ports(1)), "0", directory / "0") == ZATT_OK);
  Replies replies;
  constexpr int count = 5000;  // more than the node takes at a time
  for (int i = 0; i < count; ++i) {
    const zatt_request incr = request_of(ZATT_OP_INCR, "n");
    REQUIRE(zatt_node_send(host.node, &incr, Replies::take, &replies) == ZATT_OK);
  }
  CHECK(host.call(request_of(ZATT_OP_GET, "n")).value == std::to_string(count));
  REQUIRE(replies.size() == count);
  for (int i = 0; i < count; ++i) {
    CHECK(replies.all[static_cast<std::size_t>(i)].error == ZATT_OK);
    CHECK(replies.all[static_cast<std::size_t>(i)].number == i + 1);
  }
}

TEST_CASE("zatt_node: alone of three, requests wait, expire, and end with it") {
  TemporaryDirectory directory;
  Replies replies;
  {
    Host host;
    REQUIRE(host.open(config_of(free_ports(3)), "0", directory / "0") == ZATT_OK);
    zatt_request set = request_of(ZATT_OP_SET, "k", "1");
    set.timeout_ms = 50;
    const Reply late = host.call(set);
    CHECK(late.error == ZATT_ENOLEADER);
    CHECK(late.message.find("the cluster is not created yet") == 0);
    const zatt_request get = request_of(ZATT_OP_GET, "k");
    REQUIRE(zatt_node_send(host.node, &get, Replies::take, &replies) == ZATT_OK);
    CHECK(replies.size() == 0);
    host.close();
    CHECK(host.stops == std::vector<int>{ZATT_OK});
  }
  REQUIRE(replies.size() == 1);
  CHECK(replies.all[0].error == ZATT_ESHUTTINGDOWN);  // it was asked, and said so while stopping
}

TEST_CASE("zatt_node: too much that waits is refused, and what was taken is answered") {
  TemporaryDirectory directory;
  Host host;
  REQUIRE(host.open(config_of(free_ports(3)), "0", directory / "0") == ZATT_OK);
  Replies replies;
  const std::string big = "\"" + std::string(1000 << 10, 'x') + "\"";
  std::size_t sent = 0;
  int error = ZATT_OK;
  while (error == ZATT_OK && sent < 1000) {
    zatt_request set = request_of(ZATT_OP_SET, "k", big);
    set.timeout_ms = 600'000;
    error = zatt_node_send(host.node, &set, Replies::take, &replies);
    if (error == ZATT_OK) ++sent;
  }
  CHECK(error == ZATT_EOVERLOADED);
  CHECK(sent > 10);
  host.close();
  CHECK(replies.size() == sent);
}

TEST_CASE("zatt_node: a request that breaks a rule is refused at once") {
  TemporaryDirectory directory;
  Host host;
  REQUIRE(host.open(config_of(free_ports(1)), "0", directory / "0") == ZATT_OK);
  Replies replies;
  std::vector<zatt_request> wrong = {request_of(99), request_of(ZATT_OP_SET, "k", "no JSON"),
                                     request_of(ZATT_OP_LINE, "", "two\nlines"),
                                     zatt_request_of(ZATT_OP_PROPOSE), request_of(ZATT_OP_PING)};
  wrong.back().timeout_ms = -1;
  wrong.push_back(request_of(ZATT_OP_PING));
  wrong.back().size = 0;
  for (const zatt_request& request : wrong) {
    CAPTURE(request.op);
    CHECK(zatt_node_send(host.node, &request, Replies::take, &replies) == ZATT_EINVAL);
  }
  CHECK(host.call(request_of(ZATT_OP_PING)).error == ZATT_OK);
  CHECK(replies.size() == 0);
}

TEST_CASE("zatt_node: from its own callbacks it can be asked and stopped, not called or closed") {
  TemporaryDirectory directory;
  Host host;
  host.with_list = true;
  int busy = 0;
  Replies inner;
  const auto misbehave = [&] {
    const zatt_request ping = request_of(ZATT_OP_PING);
    if (zatt_node_close(host.node) == ZATT_EBUSY) ++busy;
    if (zatt_node_call(host.node, &ping, nullptr, nullptr) == ZATT_EBUSY) ++busy;
    if (zatt_node_send(host.node, &ping, Replies::take, &inner) == ZATT_OK) ++busy;
  };
  host.list.on_apply = misbehave;
  REQUIRE(host.open(config_of(free_ports(1)), "0", directory / "0") == ZATT_OK);
  Replies outer;
  outer.on_reply = [&] {
    misbehave();
    zatt_node_stop(host.node);
  };
  const zatt_request command = request_of(ZATT_OP_PROPOSE, "", "x");
  REQUIRE(zatt_node_send(host.node, &command, Replies::take, &outer) == ZATT_OK);
  host.on_stop_too = [&] {
    if (zatt_node_close(host.node) == ZATT_EBUSY) ++busy;
  };
  REQUIRE(host.wait_stop());
  host.close();
  CHECK(busy == 7);
  CHECK(inner.size() == 2);
}

TEST_CASE("zatt_node: the process's signals are not for its threads") {
  TemporaryDirectory directory;
  Host host;
  REQUIRE(host.open(config_of(free_ports(1)), "0", directory / "0") == ZATT_OK);
  REQUIRE(host.call(request_of(ZATT_OP_SET, "k", "1")).error == ZATT_OK);
  sigset_t usr1;
  sigset_t before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, &before);
  kill(getpid(), SIGUSR1);  // where a thread of the node's could take it, that would be the end
  REQUIRE(host.call(request_of(ZATT_OP_SET, "k", "2")).error == ZATT_OK);
  const timespec none = {};
  CHECK(sigtimedwait(&usr1, nullptr, &none) == SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("zatt_node: no descriptor left is an error, not the end") {
  TemporaryDirectory directory;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  Host host;
  for (rlim_t more = 0; more < 8; ++more) {
    const rlimit few{open_files() - 3 + more, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
    const int error = host.open(config_of({5253}), "0", directory / "0");
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    if (error == ZATT_OK) host.close();
    CHECK((error == ZATT_OK || error == ZATT_EOVERLOADED || error == ZATT_EADDRESS ||
           error == ZATT_ESTORAGE));
    CHECK((error == ZATT_OK || !host.why.empty()));
  }
}

TEST_CASE("zatt_node: opened and closed a thousand times, nothing is left") {
  TemporaryDirectory directory("/dev/shm");  // syncs cost nothing there
  const std::string config = config_of(free_ports(1));
  std::size_t files_before = 0;
  std::size_t threads_before = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i == 10) {
      files_before = open_files();
      threads_before = threads();
    }
    Host host;
    REQUIRE(host.open(config, "0", directory / std::to_string(i % 10)) == ZATT_OK);
    if (i % 100 == 0) REQUIRE(host.call(request_of(ZATT_OP_INCR, "n")).error == ZATT_OK);
  }
  CHECK(open_files() == files_before);
  CHECK(threads() == threads_before);
}

TEST_CASE("zatt_node: log lines are the host's, and debug ones only if it wants them") {
  TemporaryDirectory directory;
  Host host;
  const int port = free_ports(1)[0];
  REQUIRE(host.open(config_of({port}), "0", directory / "0") == ZATT_OK);
  CHECK(host.call(request_of(ZATT_OP_SET, "k", "1")).error == ZATT_OK);
  host.close();
  CHECK(host.log.at(0) == "zatt " + std::string(zatt_version()) +
                              ": node 0 of 0, listening on 127.0.0.1:" + std::to_string(port) +
                              ", storage " + (directory / "0"));
  CHECK(host.log.back() == "this node leads, term 1");
}
