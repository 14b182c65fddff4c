// SPDX-License-Identifier: AGPL-3.0-or-later
// A peer's bytes cut into frames: the same however they come.
#include <vector>

#include "codec/peer_frames.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

struct Cut {
  std::vector<std::string> frames;
  bool is_good = true;
  friend bool operator==(const Cut&, const Cut&) = default;
};

Cut cut(std::string_view stream, std::size_t piece) {
  Cut result;
  codec::FrameSplitter splitter;
  for (std::size_t at = 0; at < stream.size() && result.is_good; at += piece) {
    const std::string part(stream.substr(at, piece));
    result.is_good = splitter.feed(part, [&result](std::string_view frame) {
      result.frames.emplace_back(frame);
      return true;
    });
    if (result.is_good)
      require(splitter.kept_bytes() < codec::max_frame_bytes + codec::frame_length_bytes,
              "less than a frame is kept");
  }
  return result;
}

Cut plain(std::string_view stream) {
  Cut result;
  while (stream.size() >= 4) {
    const std::size_t length = load_le<std::uint32_t>(stream.data());
    result.is_good = length <= codec::max_frame_bytes;
    if (!result.is_good || stream.size() < 4 + length) break;
    result.frames.emplace_back(stream.substr(4, length));
    stream.remove_prefix(4 + length);
  }
  return result;
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_frame_splitter(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  const std::size_t piece = 1 + in.u8();
  const std::string stream(in.rest());
  const fuzz::Cut wanted = fuzz::plain(stream);
  fuzz::require(fuzz::cut(stream, piece) == wanted, "frames are the same in pieces");
  fuzz::require(fuzz::cut(stream, stream.size() + 1) == wanted, "frames are the same at once");
  return 0;
}
