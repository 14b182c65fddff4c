// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "loop/addresses.h"
#include "tests/loop/harness.h"

using namespace zatt::loop;

TEST_CASE("Listener: names, IPv6 and taken ports") {
  Loop loop;
  SUBCASE("a name") {
    const auto listener = Listener::bind(loop, {"localhost", 0});
    REQUIRE(listener);
    CHECK(listener->local().port != 0);
  }
  SUBCASE("IPv6") {
    const auto listener = Listener::bind(loop, {"::1", 0});
    if (!listener) {
      CHECK(listener.error().sys == EADDRNOTAVAIL);  // a machine without it
    } else {
      CHECK(listener->local().host == "::1");
    }
  }
  SUBCASE("no such name") {
    const auto listener = Listener::bind(loop, {"no such host", 0});
    REQUIRE(!listener);
    CHECK(listener.error().detail.find("cannot look up \"no such host\"") == 0);
  }
  SUBCASE("not an address of this machine") {
    const auto listener = Listener::bind(loop, {"192.0.2.1", 0});
    REQUIRE(!listener);
    CHECK(listener.error().sys == EADDRNOTAVAIL);
  }
  SUBCASE("taken") {
    auto first = Listener::bind(loop, {"127.0.0.1", 0});
    REQUIRE(first);
    REQUIRE(first->listen({.on_connection = [](Stream) {}, .on_shortage = [](int) {}}));
    const auto second = Listener::bind(loop, first->local());
    REQUIRE(!second);
    CHECK(second.error().sys == EADDRINUSE);
  }
}

TEST_CASE("Listener: its port is refused before listen() and after its end") {
  Loop loop;
  std::string why;
  bool done = false;
  const auto attempt = [&](const zatt::Address& address) {
    done = false;
    Connector connect(loop, address, 5000, [&](Stream, std::string reason) {
      done = true;
      why = std::move(reason);
    });
    REQUIRE(run_until(loop, [&] { return done; }));
    return why;
  };
  zatt::Address address;
  {
    auto listener = Listener::bind(loop, {"127.0.0.1", 0});
    REQUIRE(listener);
    address = listener->local();
    CHECK(attempt(address) == "nothing listens there");
    REQUIRE(listener->listen({.on_connection = [](Stream) {}, .on_shortage = [](int) {}}));
    CHECK(attempt(address).empty());
  }
  CHECK(attempt(address) == "nothing listens there");
}

// Plain blocking sockets, made before descriptors run out.
TEST_CASE("Listener: without a descriptor callers are turned away, and later served again") {
  Loop loop;
  auto listener = Listener::bind(loop, {"127.0.0.1", 0});
  REQUIRE(listener);
  int shortages = 0;
  std::vector<Stream> taken;
  REQUIRE(
      listener->listen({.on_connection = [&](Stream stream) { taken.push_back(std::move(stream)); },
                        .on_shortage =
                            [&](int sys) {
                              CHECK(sys == EMFILE);
                              ++shortages;
                            }}));
  const auto target = numeric(listener->local());
  REQUIRE(target);
  std::vector<int> callers;
  for (int i = 0; i < 4; ++i) callers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  for (int i = 0; i < 3; ++i)
    CHECK(connect(callers[static_cast<std::size_t>(i)], target->get(), target->length) == 0);
  // With a limit of 0 even the reserve cannot be opened again: pauses in between, no spinning.
  int turns = 0;
  const std::uint64_t until = now_us() + 150'000;
  Timer end(loop, [] {});
  end.start(150);
  do {
    loop.run_once();
    ++turns;
  } while (now_us() < until);
  CHECK(shortages > 0);
  CHECK(turns < 20);
  CHECK(taken.empty());
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);

  CHECK(connect(callers[3], target->get(), target->length) == 0);
  CHECK(run_until(loop, [&] { return !taken.empty(); }));
  for (const int fd : callers) close(fd);
}

TEST_CASE("Listener: with a reserve each caller too many sees an end at once") {
  Loop loop;
  auto listener = Listener::bind(loop, {"127.0.0.1", 0});
  REQUIRE(listener);
  int shortages = 0;
  std::vector<Stream> taken;
  REQUIRE(
      listener->listen({.on_connection = [&](Stream stream) { taken.push_back(std::move(stream)); },
                        .on_shortage = [&](int) { ++shortages; }}));
  const auto target = numeric(listener->local());
  std::vector<int> callers;
  for (int i = 0; i < 3; ++i) callers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  std::vector<int> ballast;  // every descriptor under the limit
  rlimit low = before;
  low.rlim_cur = 64;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int fd = open("/", O_RDONLY | O_CLOEXEC); fd >= 0; fd = open("/", O_RDONLY | O_CLOEXEC))
    ballast.push_back(fd);
  for (const int fd : callers) CHECK(connect(fd, target->get(), target->length) == 0);
  CHECK(run_until(loop, [&] { return shortages >= 3; }));
  for (const int fd : callers) {
    char byte = 0;
    CHECK(recv(fd, &byte, 1, 0) <= 0);  // an end, not silence
  }
  CHECK(taken.empty());
  for (const int fd : ballast) close(fd);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  for (const int fd : callers) close(fd);
}
