// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/json_lines.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"

namespace zatt::codec {
namespace {

using Lines = std::vector<std::string>;

// Feeds from buffers that end where the slack ends, so that a sanitizer sees a step beyond.
struct Feed {
  LineSplitter splitter;
  Lines lines;
  std::size_t stop_each = 0;  // stop at each so-manieth line; 0: never
  std::size_t stopped = 0;
  bool touched_slack = true;

  explicit Feed(std::size_t max_line_bytes) : splitter(max_line_bytes) {}

  auto on_line() {
    return [this](std::string_view line, bool too_long) {
      unsigned sum = 0;
      for (std::size_t i = 0; i < line_slack && !too_long; ++i)
        sum += static_cast<unsigned char>(line.data()[line.size() + i]);
      touched_slack = touched_slack && sum <= 255 * line_slack;
      lines.push_back(too_long ? "(too long)" : std::string(line));
      const bool stop = stop_each != 0 && lines.size() % stop_each == 0;
      if (stop) ++stopped;
      return !stop;
    };
  }
  void feed(std::string_view bytes) {
    std::vector<char> buffer(bytes.begin(), bytes.end());
    buffer.resize(bytes.size() + line_slack, 'Z');
    splitter.feed({buffer.data(), bytes.size()}, on_line());
  }
  // Goes on after each stop until nothing moves any more.
  void resume() {
    for (std::size_t before = stopped + 1; before != stopped;) {
      before = stopped;
      splitter.feed({}, on_line());
    }
  }
  void end() {
    for (std::size_t before = stopped + 1; before != stopped;) {
      before = stopped;
      splitter.end(on_line());
    }
  }
};

Lines in_one_piece(std::size_t max_line_bytes, std::string_view bytes) {
  Feed feed(max_line_bytes);
  feed.feed(bytes);
  feed.end();
  CHECK(feed.splitter.kept_bytes() == 0);
  return feed.lines;
}

}  // namespace

TEST_CASE("lines: newlines end them, empty ones are skipped") {
  CHECK(in_one_piece(10, "") == Lines{});
  CHECK(in_one_piece(10, "\n\r\n\n") == Lines{});
  CHECK(in_one_piece(10, "a\nb\r\n\nc\n") == Lines{"a", "b", "c"});
  CHECK(in_one_piece(10, "a\nb") == Lines{"a", "b"});
  CHECK(in_one_piece(10, "a\nb\r") == Lines{"a", "b"});
  CHECK(in_one_piece(10, "a\r\r\n\rb\n \n") == Lines{"a\r", "\rb", " "});
  CHECK(in_one_piece(10, std::string_view("\0\n", 2)) == Lines{std::string(1, '\0')});
}

TEST_CASE("lines: the limit counts neither the newline nor the return before it") {
  const std::string at(10, 'x');
  CHECK(in_one_piece(10, std::string(9, 'x') + "\n") == Lines{std::string(9, 'x')});
  CHECK(in_one_piece(10, at + "\n") == Lines{at});
  CHECK(in_one_piece(10, at + "\r\n") == Lines{at});
  CHECK(in_one_piece(10, at + "y\n" + "b\n") == Lines{"(too long)", "b"});
  CHECK(in_one_piece(10, at + "y\r\n" + "b\n") == Lines{"(too long)", "b"});
  CHECK(in_one_piece(10, at + "\r\r\n" + "b\n") == Lines{"(too long)", "b"});
  CHECK(in_one_piece(10, at + "\ry\n" + "b\n") == Lines{"(too long)", "b"});
  CHECK(in_one_piece(10, at) == Lines{at});
  CHECK(in_one_piece(10, at + "\r") == Lines{at});
  CHECK(in_one_piece(10, at + "y") == Lines{"(too long)"});
}

TEST_CASE("lines: a line that is too long is reported once, early, and not kept") {
  Feed feed(10);
  feed.feed("a\nxxxxxxxxxx");
  CHECK(feed.lines == Lines{"a"});
  feed.feed("xx");
  CHECK(feed.lines == Lines{"a", "(too long)"});
  for (int i = 0; i < 1000; ++i) {
    feed.feed(std::string(1000, 'x'));
    CHECK(feed.splitter.kept_bytes() == 0);
  }
  CHECK(feed.lines.size() == 2);
  feed.feed("x\nb\n");
  CHECK(feed.lines == Lines{"a", "(too long)", "b"});
  feed.feed(std::string(50, 'x'));
  feed.end();
  CHECK(feed.lines.size() == 4);
}

TEST_CASE("lines: stopping keeps the rest, and goes on where it stopped") {
  Feed feed(10);
  feed.stop_each = 1;
  feed.feed("a\nb\nc");
  CHECK(feed.lines == Lines{"a"});
  CHECK(feed.splitter.kept_bytes() == 3);
  feed.feed("d\n");
  CHECK(feed.lines == Lines{"a", "b"});
  feed.splitter.feed({}, feed.on_line());
  CHECK(feed.lines == Lines{"a", "b", "cd"});
  CHECK(feed.splitter.kept_bytes() == 0);

  feed.feed("e\n" + std::string(30, 'x') + "\nf\ng");
  feed.feed("h");
  feed.end();
  CHECK(feed.lines == Lines{"a", "b", "cd", "e", "(too long)", "f", "gh"});
  CHECK(feed.splitter.kept_bytes() == 0);

  Feed long_tail(10);
  long_tail.stop_each = 1;
  long_tail.feed("a\n" + std::string(30, 'x'));
  CHECK(long_tail.splitter.kept_bytes() == 30);
  long_tail.splitter.feed({}, long_tail.on_line());
  CHECK(long_tail.lines == Lines{"a", "(too long)"});
  CHECK(long_tail.splitter.kept_bytes() == 0);
  long_tail.feed("xxx\nb\n");
  CHECK(long_tail.lines == Lines{"a", "(too long)", "b"});
}

TEST_CASE("lines: stopping at each of many lines does not move them each time") {
  std::string bytes;
  for (int i = 0; i < 200000; ++i) bytes += "abc\n";
  Feed feed(10);
  feed.stop_each = 1;
  feed.feed(bytes);  // 800 kB moved 200,000 times would take minutes
  feed.resume();
  CHECK(feed.lines.size() == 200000);
  CHECK(feed.splitter.kept_bytes() == 0);
}

TEST_CASE("lines: a long line's memory is given back with it") {
  const auto in_use = [] {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  Feed feed(1 << 20);
  const std::string long_line(900'000, 'x');
  const std::size_t before = in_use();
  feed.feed(long_line);
  if (in_use() < before + 900'000) return;  // a sanitizer's allocator tells nothing
  SUBCASE("when it ends") { feed.feed("\n"); }
  SUBCASE("when it is given up") { feed.splitter.skip_line(); }
  feed.lines = {};
  CHECK(in_use() < before + 100'000);
  feed.feed("and\nnext\n");
  CHECK(feed.lines.back().find("next") != std::string::npos);
}

TEST_CASE("lines: however the stream is cut, the lines are the same") {
  Prng prng(5);
  for (int round = 0; round < 3000; ++round) {
    const std::size_t limit = prng.between(1, 12);
    std::string bytes;
    for (std::uint64_t n = prng.below(12); n > 0; --n) {
      const std::uint64_t size = prng.chance(1, 10) ? prng.below(100) : prng.below(limit + 3);
      bytes.append(size, static_cast<char>('a' + static_cast<char>(n)));
      if (prng.chance(1, 3)) bytes += '\r';
      if (prng.chance(9, 10)) bytes += '\n';
    }
    const Lines want = in_one_piece(limit, bytes);
    CAPTURE(bytes);
    CAPTURE(limit);

    Feed single(limit);
    for (const char byte : bytes) {
      single.feed({&byte, 1});
      REQUIRE(single.splitter.kept_bytes() <= limit + 1);
    }
    single.end();
    REQUIRE(single.lines == want);

    Feed pieces(limit);
    pieces.stop_each = prng.below(4);
    const bool resume_late = prng.chance(1, 2);
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const std::size_t size = std::min<std::size_t>(rest.size(), prng.between(1, 20));
      pieces.feed(rest.substr(0, size));
      rest.remove_prefix(size);
      if (!resume_late) pieces.resume();
    }
    pieces.resume();
    pieces.end();
    REQUIRE(pieces.lines == want);
    REQUIRE(pieces.splitter.kept_bytes() == 0);
    REQUIRE(pieces.touched_slack);
  }
}

}  // namespace zatt::codec
