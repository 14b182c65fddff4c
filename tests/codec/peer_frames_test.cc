// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/peer_frames.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/prng.h"

namespace zatt::codec {
namespace {

constexpr BootId from_boot_id{0x1122334455667788};
constexpr BootId to_boot_id{0x99aabbccddeeff00};

std::string noise(Prng& prng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng.next() & 0xff);
  return bytes;
}

std::vector<std::string> cut(std::uint64_t number, std::string_view message) {
  std::vector<std::string> frames;
  cut_into_frames(from_boot_id, to_boot_id, number, message,
                  [&](std::string frame) { frames.push_back(std::move(frame)); });
  return frames;
}

Frame decode(const std::string& bytes) {
  const auto frame = decode_frame(bytes);
  REQUIRE(frame.has_value());
  return *frame;
}

// A frame as somebody without manners would make it: any field, and a checksum that is right.
std::string forged(std::uint32_t piece, std::uint8_t last, std::string_view payload) {
  std::string bytes(8, '\0');
  Writer writer(bytes);
  writer.u64(raw(from_boot_id));
  writer.u64(raw(to_boot_id));
  writer.u64(7);
  writer.u32(piece);
  writer.u8(last);
  writer.raw(payload);
  store_le(bytes.data(), checksum(std::string_view(bytes).substr(8), 0));
  return bytes;
}

}  // namespace

TEST_CASE("frame: the literal bytes") {
  const std::vector<std::string> frames = cut(0x0102030405060708, "abc");
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].substr(8) == std::string("\x88\x77\x66\x55\x44\x33\x22\x11"  // from_start
                                           "\x00\xff\xee\xdd\xcc\xbb\xaa\x99"  // to_start
                                           "\x08\x07\x06\x05\x04\x03\x02\x01"  // message
                                           "\x00\x00\x00\x00"                  // piece
                                           "\x01"                              // last
                                           "abc",
                                           32));
  CHECK(load_le<std::uint64_t>(frames[0].data()) == 0x92c465928831e18f);  // checksum
  CHECK(peer_magic == std::string_view("\0zat", 4));
  CHECK(max_frame_bytes + frame_length_bytes == 65536);
}

TEST_CASE("frame: messages of every size come back, in frames of at most 64 KiB") {
  Prng prng(1);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, max_piece_bytes - 1, max_piece_bytes, max_piece_bytes + 1,
        2 * max_piece_bytes, 2 * max_piece_bytes + 1, std::size_t{1} << 20, std::size_t{16} << 20,
        max_message_bytes}) {
    CAPTURE(size);
    const std::string message = noise(prng, size);
    const std::vector<std::string> frames = cut(3, message);
    CHECK(frames.size() ==
          std::max<std::size_t>(1, (size + max_piece_bytes - 1) / max_piece_bytes));
    Assembler assembler;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      REQUIRE(frames[i].size() <= max_frame_bytes);
      const Frame frame = decode(frames[i]);
      CHECK(frame.from_boot_id == from_boot_id);
      CHECK(frame.to_boot_id == to_boot_id);
      CHECK(frame.message == 3);
      CHECK(frame.piece == i);
      CHECK(frame.last == (i + 1 == frames.size()));
      const auto whole = assembler.add(frame);
      REQUIRE(whole.has_value() == frame.last);
      if (whole) CHECK(*whole == message);
    }
  }
}

TEST_CASE("frame: no truncation, addition or flipped bit is taken") {
  const std::string good = cut(9, "the payload")[0];
  REQUIRE(decode_frame(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(decode_frame(std::string_view(good).substr(0, size)).has_value());
  CHECK_FALSE(decode_frame(good + '\0').has_value());
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    CAPTURE(bit);
    CHECK_FALSE(decode_frame(bad).has_value());
  }
}

TEST_CASE("frame: a whole checksum does not make a frame") {
  CHECK(decode_frame(forged(0, 1, "x")).has_value());
  CHECK_FALSE(decode_frame(forged(0, 2, "x")).has_value());  // last is 0 or 1
  CHECK(decode_frame(forged(0, 1, std::string(max_piece_bytes, 'x'))).has_value());
  CHECK_FALSE(decode_frame(forged(0, 1, std::string(max_piece_bytes + 1, 'x'))).has_value());
}

TEST_CASE("frame: random bytes are no frames") {
  Prng prng(2);
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t size = prng.below(200);
    CHECK_FALSE(decode_frame(noise(prng, size)).has_value());
  }
}

TEST_CASE("assembler: a lost piece loses its message and no other") {
  Prng prng(3);
  const std::string message = noise(prng, 3 * max_piece_bytes + 5);
  const std::vector<std::string> frames = cut(1, message);
  REQUIRE(frames.size() == 4);
  for (std::size_t lost = 0; lost < frames.size(); ++lost) {
    CAPTURE(lost);
    Assembler assembler;
    for (std::size_t i = 0; i < frames.size(); ++i)
      if (i != lost) CHECK_FALSE(assembler.add(decode(frames[i])).has_value());
    std::optional<std::string_view> whole;
    const std::vector<std::string> next = cut(2, message);
    for (const std::string& frame : next) whole = assembler.add(decode(frame));
    REQUIRE(whole.has_value());
    CHECK(*whole == message);
  }
}

TEST_CASE("assembler: doubled and reordered pieces lose their message") {
  Prng prng(4);
  const std::vector<std::string> frames = cut(1, noise(prng, 3 * max_piece_bytes));
  REQUIRE(frames.size() == 3);
  const auto add = [&](std::vector<std::size_t> order) {
    Assembler assembler;
    std::size_t whole = 0;
    for (const std::size_t i : order) whole += assembler.add(decode(frames[i])).has_value();
    return whole;
  };
  CHECK(add({0, 1, 2}) == 1);
  CHECK(add({0, 1, 1, 2}) == 0);
  CHECK(add({0, 2, 1}) == 0);
  CHECK(add({1, 0, 2}) == 0);
  CHECK(add({2, 1, 0}) == 0);
  CHECK(add({1, 2}) == 0);
  CHECK(add({0, 1, 2, 2}) == 1);           // nothing is made of the rest
  CHECK(add({0, 0, 1, 2}) == 1);           // begun anew
  CHECK(add({0, 1, 0, 1, 2, 1, 2}) == 1);  // the first try is given up, the second whole
}

TEST_CASE("assembler: whole messages pass between the pieces of another") {
  Prng prng(5);
  const std::string large = noise(prng, 2 * max_piece_bytes + 1);
  const std::vector<std::string> frames = cut(1, large);
  Assembler assembler;
  std::uint64_t number = 1;
  std::optional<std::string_view> whole;
  for (const std::string& frame : frames) {
    const std::string small = "heartbeat " + std::to_string(++number);
    const std::string bytes = cut(number, small)[0];
    CHECK(assembler.add(decode(bytes)) == small);
    whole = assembler.add(decode(frame));
  }
  REQUIRE(whole.has_value());
  CHECK(*whole == large);
}

TEST_CASE("assembler: of two large messages at a time neither is made up from both") {
  Prng prng(6);
  const std::vector<std::string> a = cut(1, noise(prng, 2 * max_piece_bytes));
  const std::vector<std::string> b = cut(2, noise(prng, 2 * max_piece_bytes));
  Assembler assembler;
  CHECK_FALSE(assembler.add(decode(a[0])).has_value());
  CHECK_FALSE(assembler.add(decode(b[0])).has_value());
  CHECK_FALSE(assembler.add(decode(a[1])).has_value());
  CHECK_FALSE(assembler.add(decode(b[1])).has_value());
}

TEST_CASE("assembler: what never ends is given up at the largest message's size") {
  const std::string payload(max_piece_bytes, 'x');
  Assembler assembler;
  Frame frame{from_boot_id, to_boot_id, 5, 0, false, payload};
  std::size_t kept = 0;
  for (int i = 0; i < 600; ++i, ++frame.piece) {  // more than twice that size
    CHECK_FALSE(assembler.add(frame).has_value());
    if (kept == 0 && (frame.piece + 1) * payload.size() > max_message_bytes) kept = frame.piece;
  }
  frame.last = true;
  CHECK_FALSE(assembler.add(frame).has_value());
  CHECK(kept > 0);
  // A new message is welcome.
  CHECK(assembler.add(Frame{from_boot_id, to_boot_id, 6, 0, true, "y"}) == "y");
}

TEST_CASE("assembler: whatever order frames come in, only what was said comes out") {
  Prng prng(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> said(4);
    std::vector<std::pair<std::size_t, std::string>> frames;
    for (std::size_t m = 0; m < said.size(); ++m) {
      said[m] = noise(prng, prng.below(3) * max_piece_bytes + prng.below(20));
      for (std::string& frame : cut(m + 1, said[m])) frames.emplace_back(m, std::move(frame));
    }
    Assembler assembler;
    for (int i = 0; i < 30; ++i) {
      // Mostly the next, sometimes any.
      const std::size_t at = prng.chance(4, 5) ? static_cast<std::size_t>(i) % frames.size()
                                               : prng.below(frames.size());
      const auto whole = assembler.add(decode(frames[at].second));
      if (whole) CHECK(*whole == said[frames[at].first]);
    }
  }
}

}  // namespace zatt::codec
