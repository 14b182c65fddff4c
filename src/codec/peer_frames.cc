// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/peer_frames.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/checksum.h"

namespace zatt::codec {
namespace {

std::string encode_frame(const Frame& frame) {
  std::string bytes(8, '\0');
  bytes.reserve(frame_header_bytes + frame.payload.size());
  Writer writer(bytes);
  writer.u64(raw(frame.from_boot_id));
  writer.u64(raw(frame.to_boot_id));
  writer.u64(frame.message);
  writer.u32(frame.piece);
  writer.u8(frame.last ? 1 : 0);
  writer.raw(frame.payload);
  store_le(bytes.data(), checksum(std::string_view(bytes).substr(8), 0));
  return bytes;
}

}  // namespace

void cut_into_frames(BootId from_boot_id, BootId to_boot_id, std::uint64_t number,
                     std::string_view message, const std::function<void(std::string)>& on_frame) {
  Frame frame{from_boot_id, to_boot_id, number, 0, false, {}};
  do {
    frame.payload = message.substr(0, max_piece_bytes);
    message.remove_prefix(frame.payload.size());
    frame.last = message.empty();
    on_frame(encode_frame(frame));
    ++frame.piece;
  } while (!frame.last);
}

std::optional<Frame> decode_frame(std::string_view bytes) {
  if (bytes.size() < frame_header_bytes || bytes.size() > max_frame_bytes) return std::nullopt;
  Reader reader(bytes);
  if (reader.u64() != checksum(bytes.substr(8), 0)) return std::nullopt;
  Frame frame;
  frame.from_boot_id = BootId{reader.u64()};
  frame.to_boot_id = BootId{reader.u64()};
  frame.message = reader.u64();
  frame.piece = reader.u32();
  const std::uint8_t last = reader.u8();
  if (last > 1) return std::nullopt;
  frame.last = last == 1;
  frame.payload = reader.raw(reader.left());
  return frame;
}

std::optional<std::string_view> Assembler::add(const Frame& frame) {
  if (frame.piece == 0 && frame.last) return frame.payload;  // whole: touches nothing kept
  if (frame.piece == 0) {
    partial_.clear();
    message_ = frame.message;
    pieces_ = 0;
  }
  const bool continues = frame.message == message_ && frame.piece == pieces_ &&
                         partial_.size() + frame.payload.size() <= max_message_bytes;
  if (!continues) {
    std::string().swap(partial_);
    message_ = 0;
    pieces_ = 0;
    return std::nullopt;
  }
  partial_.append(frame.payload);
  ++pieces_;
  if (!frame.last) return std::nullopt;
  message_ = 0;
  pieces_ = 0;
  return partial_;
}

bool FrameSplitter::keep(std::string_view& bytes, std::size_t wanted) {
  const std::size_t n = std::min(bytes.size(), wanted - std::min(wanted, kept_.size()));
  kept_.append(bytes.substr(0, n));
  bytes.remove_prefix(n);
  return kept_.size() >= wanted;
}

}  // namespace zatt::codec
