// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "codec/peer_frames.h"

using zatt::Writer;
using zatt::codec::FrameSplitter;

namespace {

std::string stream_of(const std::vector<std::string>& frames) {
  std::string bytes;
  for (const std::string& frame : frames) Writer(bytes).bytes(frame);
  return bytes;
}

}  // namespace

TEST_CASE("FrameSplitter: the same frames, however the bytes come") {
  const std::vector<std::string> frames = {
      "", "a", "hello", std::string(zatt::codec::max_frame_bytes, 'x'), "", "end"};
  const std::string bytes = stream_of(frames);
  for (const std::size_t step :
       std::initializer_list<std::size_t>{1, 2, 3, 5, 7, 4096, 65536, bytes.size()}) {
    CAPTURE(step);
    FrameSplitter splitter;
    std::vector<std::string> got;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
      REQUIRE(splitter.feed(std::string_view(bytes).substr(i, step), [&](std::string_view frame) {
        got.emplace_back(frame);
        return true;
      }));
      CHECK(splitter.kept_bytes() <= zatt::codec::max_frame_bytes + 4);
    }
    CHECK(got == frames);
    CHECK(splitter.kept_bytes() == 0);
  }
}

TEST_CASE("FrameSplitter: an impossible length is the end, at once or in pieces") {
  std::string bytes;
  Writer(bytes).u32(zatt::codec::max_frame_bytes + 1);
  int calls = 0;
  const auto never = [&calls](std::string_view) { return ++calls > 0; };
  FrameSplitter at_once;
  CHECK(!at_once.feed(bytes, never));
  FrameSplitter in_pieces;
  CHECK(in_pieces.feed(bytes.substr(0, 3), never));
  CHECK(!in_pieces.feed(bytes.substr(3), never));
  CHECK(calls == 0);
}

TEST_CASE("FrameSplitter: what follows an unwanted frame is not handed out") {
  const std::string bytes = stream_of({"one", "two", "three"});
  FrameSplitter splitter;
  int calls = 0;
  CHECK(splitter.feed(bytes, [&](std::string_view) { return ++calls < 2; }));
  CHECK(calls == 2);
}
