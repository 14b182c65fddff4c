// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/writer.h"

#include <doctest/doctest.h>

#include <string>

#include "base/prng.h"
#include "json/value.h"

namespace zatt::json {

TEST_CASE("writer: strings are escaped where JSON demands it, and nowhere else") {
  CHECK(string_text("") == R"("")");
  CHECK(string_text("plain /'<>\x7f") == "\"plain /'<>\x7f\"");
  CHECK(string_text("a\"b\\c") == R"("a\"b\\c")");
  CHECK(string_text("\b\f\n\r\t") == R"("\b\f\n\r\t")");
  CHECK(string_text(std::string_view("\0\x01\x1f", 3)) == R"("\u0000\u0001\u001f")");
  CHECK(string_text("\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80") ==
        "\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"");
}

TEST_CASE("writer: what is written reads back as it was") {
  Prng prng(7);
  for (int i = 0; i < 2000; ++i) {
    std::string characters;
    for (std::uint64_t n = prng.below(20); n > 0; --n)
      characters.push_back(static_cast<char>(prng.below(0x80)));
    CHECK(unescaped(string_text(characters)) == characters);
  }
}

TEST_CASE("writer: integers to their ends") {
  std::string out;
  append_int(out, INT64_MIN);
  out += ' ';
  append_int(out, -1);
  out += ' ';
  append_uint(out, 0);
  out += ' ';
  append_uint(out, UINT64_MAX);
  CHECK(out == "-9223372036854775808 -1 0 18446744073709551615");
}

}  // namespace zatt::json
