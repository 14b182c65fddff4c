// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/bytes.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt;
using namespace std::string_literals;

TEST_CASE("bytes: numbers are little-endian whatever the machine") {
  std::string out = "before";
  Writer w(out);
  w.u8(0x01);
  w.u16(0x0302);
  w.u32(0x07060504);
  w.u64(0x0f0e0d0c0b0a0908);
  w.raw("raw");
  w.bytes("xy\0"s);
  CHECK(out ==
        "before\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0fraw\x03\0\0\0xy\0"s);
}

TEST_CASE("bytes: a reader gives back what a writer wrote") {
  std::string out;
  Writer w(out);
  w.u8(255);
  w.u16(65535);
  w.u32(~0U);
  w.u64(~0ULL);
  w.bytes("");
  w.bytes("\xff\0"s);
  w.raw("z");
  Reader r(out);
  CHECK(r.u8() == 255);
  CHECK(r.u16() == 65535);
  CHECK(r.u32() == ~0U);
  CHECK(r.u64() == ~0ULL);
  CHECK(r.bytes() == "");
  CHECK(r.bytes() == "\xff\0"s);
  CHECK(r.left() == 1);
  CHECK_FALSE(r.done());
  CHECK(r.raw(1) == "z");
  CHECK(r.done());
}

TEST_CASE("bytes: a reader asked past its end says so, and hands out nothing from then on") {
  Reader r("\x01\x02\x03");
  CHECK(r.u16() == 0x0201);
  CHECK(r.u16() == 0);
  CHECK_FALSE(r.ok());
  CHECK(r.left() == 0);
  CHECK(r.u8() == 0);
  CHECK(r.raw(0).empty());
  CHECK_FALSE(r.done());
}

TEST_CASE("bytes: a length beyond the end is refused before anything is read") {
  for (const std::string& in : {"\xff\xff\xff\xff"s, "\x02\0\0\0x"s, "\x01\0\0"s}) {
    Reader r(in);
    CHECK(r.bytes().empty());
    CHECK_FALSE(r.ok());
  }
}

TEST_CASE("bytes: a decoder may fail a reader for reasons of its own") {
  Reader r("");
  CHECK(r.done());
  r.fail();
  CHECK_FALSE(r.done());
  CHECK_FALSE(r.ok());
}

TEST_CASE("bytes: store and load at any alignment") {
  char data[16] = {};
  for (int at = 0; at < 8; ++at) {
    store_le(data + at, std::uint64_t{0x8877665544332211});
    CHECK(load_le<std::uint64_t>(data + at) == 0x8877665544332211);
    CHECK(load_le<std::uint16_t>(data + at) == 0x2211);
  }
}
