// SPDX-License-Identifier: AGPL-3.0-or-later
// A message between peers as frames of at most 64 KiB, and back.
//
// A connection between peers begins, in each direction, with `peer_magic`. Frames follow, each
// behind its length (u32, not counting itself):
//
//   frame   +------------+---------------+-------------+-----------+-----------+--------+---------+
//           |checksum u64|from_start  u64|to_start  u64|message u64|piece   u32|last  u8|payload  |
//           +------------+---------------+-------------+-----------+-----------+--------+---------+
//
// checksum covers the rest of the frame. The start numbers name the two processes that talk: a
// frame for or from another start is dropped (to_start is 0 in a hello, which does not know it
// yet). A message larger than a frame's payload travels in pieces, numbered from 0, the final one
// marked; frames of other messages may pass between them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace zatt::codec {

inline constexpr std::string_view peer_magic{"\0zat", 4};
inline constexpr std::size_t frame_length_bytes = 4;
inline constexpr std::size_t max_frame_bytes = (64 << 10) - frame_length_bytes;
inline constexpr std::size_t frame_header_bytes = 8 + 8 + 8 + 8 + 4 + 1;
inline constexpr std::size_t max_piece_bytes = max_frame_bytes - frame_header_bytes;
// One record's body (16 MiB) and what stands around it.
inline constexpr std::size_t max_message_bytes = (16 << 20) + (64 << 10);

struct Frame {
  std::uint64_t from_boot_id = 0;
  std::uint64_t to_boot_id = 0;
  std::uint64_t message = 0;  // its number: unique within the connection and direction
  std::uint32_t piece = 0;
  bool last = true;
  std::string_view payload;  // borrowed
};

// Hands out the frames (each without the length before it) that carry `message`.
void cut_into_frames(std::uint64_t from_boot_id, std::uint64_t to_boot_id, std::uint64_t number,
                     std::string_view message, const std::function<void(std::string)>& on_frame);

// Nothing where the bytes are no frame, or spoiled.
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

}  // namespace zatt::codec
