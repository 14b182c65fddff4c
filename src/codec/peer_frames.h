// SPDX-License-Identifier: AGPL-3.0-or-later
// A message between peers as frames of at most 64 KiB, and back; and a stream cut into frames.
//
// A connection between peers begins, in each direction, with `peer_magic`. Frames follow, each
// after its length (u32, not counting itself):
//
//   frame   +------------+---------------+-------------+-----------+-----------+--------+---------+
//           |checksum u64|from_boot u64  |to_boot u64  |message u64|piece   u32|last  u8|payload  |
//           +------------+---------------+-------------+-----------+-----------+--------+---------+
//
// checksum covers the rest of the frame. The boot ids name the two processes that talk: a frame
// for or from another boot is dropped (to_boot is 0 in a hello, which does not know it yet). A
// message larger than a frame's payload travels in pieces, numbered from 0, the final one marked;
// frames of other messages may pass between them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/types.h"

namespace zatt::codec {

inline constexpr std::string_view peer_magic{"\0zat", 4};
inline constexpr std::size_t frame_length_bytes = 4;
inline constexpr std::size_t max_frame_bytes = (64 << 10) - frame_length_bytes;
inline constexpr std::size_t frame_header_bytes = 8 + 8 + 8 + 8 + 4 + 1;
inline constexpr std::size_t max_piece_bytes = max_frame_bytes - frame_header_bytes;
// One entry's body and what stands around it.
inline constexpr std::size_t max_message_bytes = max_body_bytes + (64 << 10);

struct Frame {
  BootId from_boot_id{};
  BootId to_boot_id{};
  std::uint64_t message = 0;  // its number: unique within the connection and direction
  std::uint32_t piece = 0;
  bool last = true;
  std::string_view payload;  // borrowed
};

// Hands out the frames (each without the length before it) that carry `message`.
void cut_into_frames(BootId from_boot_id, BootId to_boot_id, std::uint64_t number,
                     std::string_view message, const std::function<void(std::string)>& on_frame);

// Nothing where the bytes are not a frame, or are corrupt.
std::optional<Frame> decode_frame(std::string_view bytes);

// Puts pieces together: one message of several pieces at a time. A piece that does not continue
// what is there drops it; the message is then lost, as a frame may be.
class Assembler {
 public:
  // The whole message when `frame` completes one: borrowed until the next call.
  std::optional<std::string_view> add(const Frame& frame);

 private:
  std::string partial_;
  std::uint64_t message_ = 0;
  std::uint32_t pieces_ = 0;
};

// A peer's stream of bytes cut into frames.
class FrameSplitter {
 public:
  // Calls `bool on_frame(std::string_view frame)` once a frame, in order, without its length;
  // borrowed for the call. Answering false throws away what follows: nobody wants it.
  // Returns false for a length that no frame has: nothing that follows can be read.
  template <class OnFrame>
  bool feed(std::string_view bytes, const OnFrame& on_frame);

  std::size_t kept_bytes() const { return kept_.size(); }

 private:
  static std::size_t length_of(std::string_view bytes) {
    return load_le<std::uint32_t>(bytes.data());
  }
  // Moves bytes to kept_ until there are `wanted` of them. Returns whether there are.
  bool keep(std::string_view& bytes, std::size_t wanted);

  std::string kept_;  // the beginning of a frame, its length included
};

template <class OnFrame>
bool FrameSplitter::feed(std::string_view bytes, const OnFrame& on_frame) {
  constexpr std::size_t head = frame_length_bytes;
  if (!kept_.empty()) {
    if (!keep(bytes, head)) return true;
    const std::size_t length = length_of(kept_);
    if (length > max_frame_bytes) return false;
    if (!keep(bytes, head + length)) return true;
    const bool more = on_frame(std::string_view(kept_).substr(head));
    kept_.clear();
    if (!more) return true;
  }
  while (bytes.size() >= head) {
    const std::size_t length = length_of(bytes);
    if (length > max_frame_bytes) return false;
    if (bytes.size() < head + length) break;
    if (!on_frame(bytes.substr(head, length))) return true;
    bytes.remove_prefix(head + length);
  }
  kept_.append(bytes);
  return true;
}

}  // namespace zatt::codec
