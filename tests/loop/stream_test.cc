// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/stream.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <memory>

#include "tests/loop/harness.h"

using namespace zatt::loop;

TEST_CASE("Stream: bytes both ways, then a half-close") {
  Loop loop;
  Pair pair = connected_pair(loop);
  REQUIRE(pair.near);
  Sink near;
  Sink far;
  near.attach(pair.near);
  far.attach(pair.far);
  pair.near.write("ask");
  pair.near.shut_down();
  REQUIRE(run_until(loop, [&] { return far.end.has_value(); }));
  CHECK(far.bytes == "ask");
  CHECK(*far.end == 0);
  pair.far.write("answer");
  REQUIRE(run_until(loop, [&] { return near.bytes == "answer"; }));
  CHECK(!near.end);
  pair.far = {};
  REQUIRE(run_until(loop, [&] { return near.end.has_value(); }));
}

TEST_CASE("Stream: much more than a socket takes arrives whole and in order") {
  Loop loop;
  Pair pair = connected_pair(loop);
  REQUIRE(pair.near);
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    std::string piece(100'000, static_cast<char>('a' + i % 26));
    sent += piece;
    pair.near.write(std::move(piece));
  }
  CHECK(pair.near.queued_bytes() > 0);
  int progress = 0;
  pair.near.set_events({.on_bytes = nullptr, .on_end = nullptr, .on_written = [&] { ++progress; }});
  Sink far;
  far.attach(pair.far);
  REQUIRE(run_until(loop, [&] { return far.bytes.size() == sent.size(); }));
  CHECK(far.bytes == sent);
  CHECK(progress > 0);
  CHECK(pair.near.queued_bytes() == 0);
}

TEST_CASE("Stream: slack behind what was read is readable") {
  Loop loop;
  Pair pair = connected_pair(loop);
  REQUIRE(pair.near);
  std::size_t most = 0;
  std::size_t sum = 0;
  pair.far.set_events({.on_bytes =
                           [&](std::string_view bytes) {
                             most = std::max(most, bytes.size());
                             for (std::size_t i = 0; i < Loop::read_slack_bytes; ++i)
                               sum += static_cast<unsigned char>(bytes.data()[bytes.size() + i]);
                           },
                       .on_end = nullptr,
                       .on_written = nullptr});
  pair.near.write(std::string(1 << 20, 'x'));
  run_for(loop, 20);  // let the socket fill, so that the buffer is filled to its end
  pair.far.read_start();
  REQUIRE(run_until(loop, [&] { return most == Loop::read_buffer_bytes; }));
  CHECK(sum < SIZE_MAX);
}

TEST_CASE("Stream: reading stops and goes on") {
  Loop loop;
  Pair pair = connected_pair(loop);
  REQUIRE(pair.near);
  Sink far;
  far.attach(pair.far);
  pair.far.read_stop();
  pair.near.write("later");
  run_for(loop, 20);
  CHECK(far.bytes.empty());
  pair.far.read_start();
  REQUIRE(run_until(loop, [&] { return far.bytes == "later"; }));
}

TEST_CASE("Stream: destroyed, or handed on, from its own callback") {
  Loop loop;
  SUBCASE("destroyed while writes wait") {
    Pair pair = connected_pair(loop);
    REQUIRE(pair.near);
    pair.far.write(std::string(30 << 20, 'x'));
    int calls = 0;
    pair.far.set_events({.on_bytes =
                             [&](std::string_view) {
                               ++calls;
                               pair.far = {};
                             },
                         .on_end = [&](int) { ++calls; },
                         .on_written = [&] { ++calls; }});
    pair.far.read_start();
    pair.near.write("now");
    REQUIRE(run_until(loop, [&] { return !pair.far; }));
    run_for(loop, 10);
    CHECK(calls == 1);
  }
  SUBCASE("handed on with other events") {
    Pair pair = connected_pair(loop);
    REQUIRE(pair.near);
    Stream second;
    std::string got;
    const auto big = std::make_unique<std::string>("kept by the first lambda");
    pair.far.set_events({.on_bytes =
                             [&, copy = *big](std::string_view bytes) {
                               got = bytes;
                               second = std::move(pair.far);
                               second.set_events(
                                   {.on_bytes = [&](std::string_view more) { got += more; },
                                    .on_end = nullptr,
                                    .on_written = nullptr});
                               got += copy.substr(0, 4);  // the running lambda is still whole
                             },
                         .on_end = nullptr,
                         .on_written = nullptr});
    pair.far.read_start();
    pair.near.write("1");
    REQUIRE(run_until(loop, [&] { return got == "1kept"; }));
    pair.near.write("2");
    REQUIRE(run_until(loop, [&] { return got == "1kept2"; }));
  }
}

namespace {

volatile std::sig_atomic_t pipe_signals = 0;

}  // namespace

TEST_CASE("Stream: a connection that is gone raises no SIGPIPE, at once or while writes wait") {
  Loop loop;
  const auto before = std::signal(SIGPIPE, [](int) { pipe_signals = pipe_signals + 1; });
  for (const bool waiting : {false, true}) {
    CAPTURE(waiting);
    Pair pair = connected_pair(loop);
    REQUIRE(pair.near);
    int sys = 0;
    pair.near.set_events(
        {.on_bytes = nullptr, .on_end = [&](int why) { sys = why; }, .on_written = nullptr});
    if (waiting) pair.near.write(std::string(30 << 20, 'x'));
    pair.far = {};
    run_for(loop, 10);
    for (int i = 0; i < 5 && sys == 0; ++i) {
      pair.near.write("into the void");
      run_for(loop, 5);
    }
    CHECK((sys == EPIPE || sys == ECONNRESET));
  }
  std::signal(SIGPIPE, before);
  CHECK(pipe_signals == 0);
}

TEST_CASE("Stream: a lost connection is said once, to whoever writes too") {
  Loop loop;
  Pair pair = connected_pair(loop);
  REQUIRE(pair.near);
  int ends = 0;
  pair.near.set_events(
      {.on_bytes = nullptr, .on_end = [&](int) { ++ends; }, .on_written = nullptr});
  pair.far = {};
  run_for(loop, 10);
  for (int i = 0; i < 5; ++i) {
    pair.near.write("into the void");
    run_for(loop, 5);
  }
  CHECK(ends == 1);
}

TEST_CASE("Stream: one that reads within turns leaves its bytes where the turn is over") {
  Loop loop;
  Pair pairs[] = {connected_pair(loop), connected_pair(loop)};
  int turn = 0;
  int heard_in[] = {-1, -1};
  for (int i = 0; i < 2; ++i) {
    REQUIRE(pairs[i].near);
    pairs[i].far.read_within_turns(true);
    pairs[i].far.set_events({.on_bytes =
                                 [&, i](std::string_view) {
                                   heard_in[i] = turn;
                                   while (!loop.turn_is_over()) {
                                   }
                                 },
                             .on_end = nullptr,
                             .on_written = nullptr});
    pairs[i].far.read_start();
    pairs[i].near.write("bytes");
  }
  for (; turn < 1000 && (heard_in[0] < 0 || heard_in[1] < 0); ++turn) loop.run_once();
  CHECK(heard_in[0] >= 0);
  CHECK(heard_in[1] >= 0);
  CHECK(heard_in[0] != heard_in[1]);
}
