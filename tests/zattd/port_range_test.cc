// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/port_range.h"

#include <doctest/doctest.h>

using zatt::odd_port;

TEST_CASE("port range: a port that others may take is named, one that is reserved is not") {
  const std::string said = odd_port(40000, "32768\t60999", "");
  CHECK(said.starts_with("port 40000 is one of those"));
  CHECK(said.find("(32768 to 60999)") != said.npos);
  CHECK(!odd_port(32768, "32768\t60999", "").empty());
  CHECK(!odd_port(60999, "32768\t60999", "").empty());
  CHECK(odd_port(32767, "32768\t60999", "").empty());
  CHECK(odd_port(61000, "32768\t60999", "").empty());
  CHECK(odd_port(40000, "32768\t60999", "8080,39999-40001").empty());
  CHECK(odd_port(40000, "32768\t60999", "40000").empty());
  CHECK(!odd_port(40000, "32768\t60999", "8080,40001-40010").empty());
}

TEST_CASE("port range: where the system says nothing, nothing is said") {
  for (const char* range : {"", "x", "32768x", "99999999999 3"})
    CHECK(odd_port(40000, range, "").empty());
  CHECK(!odd_port(40000, "32768\t60999", ",,x-,").empty());
}
