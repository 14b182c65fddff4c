// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/log_sink.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string>

using namespace zatt;

namespace {

struct Pipe {
  Pipe() { REQUIRE(pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
  }
  // Until `end` has come.
  std::string read_until(const std::string& end) {
    std::string all;
    char some[4096];
    while (all.find(end) == std::string::npos) {
      const ssize_t n = read(ends[0], some, sizeof some);
      if (n <= 0) break;
      all.append(some, static_cast<std::size_t>(n));
    }
    return all;
  }
  // False: nothing came for a long time.
  bool read_more(std::string& all) {
    pollfd in = {ends[0], POLLIN, 0};
    if (poll(&in, 1, 10'000) != 1) return false;
    char some[4096];
    const ssize_t n = read(ends[0], some, sizeof some);
    if (n > 0) all.append(some, static_cast<std::size_t>(n));
    return n > 0;
  }
  int ends[2];
};

struct Account {
  int came = 0;
  int lost = 0;
  bool in_order = true;
};

Account accounted(const std::string& said) {
  Account account;
  int last = -1;
  std::istringstream lines(said.substr(0, said.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    int n = 0;
    if (std::sscanf(line.c_str(), "line %d.", &n) == 1) {
      account.in_order = account.in_order && n > last;
      last = n;
      ++account.came;
    } else if (std::sscanf(line.c_str(), "zattd: %d lines of this log were lost", &n) == 1) {
      account.lost += n;
    }
  }
  return account;
}

std::string numbered(int n) { return "line " + std::to_string(n) + std::string(100, '.') + "\n"; }

}  // namespace

TEST_CASE("log sink: lines come out whole and in order") {
  Pipe pipe;
  LogSink sink(pipe.ends[1]);
  sink.write_line("one\n");
  sink.write_line("two\n");
  CHECK(sink.flush(10'000));
  CHECK(pipe.read_until("two\n") == "one\ntwo\n");
}

TEST_CASE("log sink: nobody reads; nothing waits, and what was lost is counted") {
  Pipe pipe;
  LogSink sink(pipe.ends[1]);
  constexpr int lines = 5000;  // a pipe and the buffer hold less than half of them
  for (int n = 0; n < lines; ++n) sink.write_line(numbered(n));
  CHECK_FALSE(sink.flush(1));
  CHECK((fcntl(pipe.ends[1], F_GETFL) & O_NONBLOCK) == 0);
  // Every line came or was counted, in as many pieces as the thread was late.
  std::string said;
  Account account;
  while (account.came + account.lost < lines && pipe.read_more(said)) account = accounted(said);
  CHECK(account.in_order);
  CHECK(account.came > 500);
  CHECK(account.lost > 0);
  CHECK(account.came + account.lost == lines);
}

TEST_CASE("log sink: a descriptor that others made non-blocking is waited for") {
  Pipe pipe;
  REQUIRE(fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK) == 0);
  LogSink sink(pipe.ends[1]);
  std::string filler(65536, 'x');
  REQUIRE(write(pipe.ends[1], filler.data(), filler.size()) == 65536);
  sink.write_line("late\n");
  CHECK_FALSE(sink.flush(1));
  const std::string said = pipe.read_until("late\n");
  CHECK(said.size() == filler.size() + 5);
}

TEST_CASE("log sink: a full device takes nothing, and costs nothing") {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  {
    LogSink sink(full);
    for (int n = 0; n < 3; ++n) sink.write_line("lost\n");
    CHECK(sink.flush(10'000));
  }
  close(full);
}
