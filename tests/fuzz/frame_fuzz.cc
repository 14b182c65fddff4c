// SPDX-License-Identifier: AGPL-3.0-or-later
// Frames between peers, one by one and put together.
#include <vector>

#include "base/checksum.h"
#include "codec/peer_frames.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

// One frame as it came, or with its checksum made right.
void check_one(std::string bytes, bool mend) {
  if (mend && bytes.size() >= 8)
    store_le(bytes.data(), checksum(std::string_view(bytes).substr(8), 0));
  const auto frame = codec::decode_frame(bytes);
  if (!frame) return;
  require(frame->payload.size() + codec::frame_header_bytes == bytes.size(),
          "a frame is all of its bytes");
  if (frame->piece != 0 || !frame->last) return;
  std::string again;
  codec::cut_into_frames(frame->from_boot_id, frame->to_boot_id, frame->message, frame->payload,
                         [&again](std::string encoded) { again += encoded; });
  require(again == bytes, "a frame has one encoding");
}

void check_whole(std::string_view message, std::size_t times) {
  std::string large;
  for (std::size_t i = 0; i < times; ++i) large += message;
  codec::Assembler assembler;
  std::size_t whole = 0;
  codec::cut_into_frames(BootId{1}, BootId{2}, 3, large, [&](const std::string& bytes) {
    const auto frame = codec::decode_frame(bytes);
    require(frame.has_value(), "what is cut decodes");
    if (const auto message_again = assembler.add(*frame)) {
      ++whole;
      require(frame->last && *message_again == large, "what was cut comes together");
    }
  });
  require(whole == 1, "a message comes together once");
}

// Pieces in any order: what comes out is what a plain reading of the header says.
void check_pieces(Input& in) {
  codec::Assembler assembler;
  std::string partial;
  std::uint64_t message = 0;
  std::uint32_t next = 0;
  bool is_open = false;
  while (!in.done()) {
    codec::Frame frame;
    const std::uint8_t how = in.u8();
    frame.message = 1 + (how & 3);
    frame.piece = how >> 2 & 7;
    frame.last = how >= 128;
    frame.payload = in.bytes(how % 5);
    const auto whole = assembler.add(frame);
    if (frame.piece == 0 && frame.last) {
      require(whole == frame.payload, "a frame that is a message is that message");
      continue;
    }
    const bool begins = frame.piece == 0;
    if (begins) partial.clear();
    const bool continues = is_open && frame.message == message && frame.piece == next;
    if (!begins && !continues) {
      require(!whole, "a piece that continues nothing makes no message");
      is_open = false;
      continue;
    }
    message = frame.message;
    partial += frame.payload;
    next = frame.piece + 1;
    is_open = !frame.last;
    require(whole.has_value() == frame.last, "a message is whole with its last piece");
    if (whole) require(*whole == partial, "a message is its pieces");
  }
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_frame(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  switch (in.u8() % 4) {
    case 0:
      fuzz::check_one(std::string(in.rest()), false);
      break;
    case 1:
      fuzz::check_one(std::string(in.rest()), true);
      break;
    case 2: {
      const std::size_t times = 1 + in.u8();
      fuzz::check_whole(in.bytes(1000), times);
      break;
    }
    default:
      fuzz::check_pieces(in);
  }
  return 0;
}
