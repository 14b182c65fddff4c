// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/convert.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt;

TEST_CASE("an error's name is the protocol's word for it") {
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(client::Outcome::canceled); ++i) {
    const auto outcome = static_cast<client::Outcome>(i);
    CHECK(zatt_error_name(capi::to_error(outcome)) == std::string(to_string(outcome)));
  }
}

TEST_CASE("a request's time: its own, the handle's, or none that is allowed") {
  CHECK(capi::timeout_of(0) == 5'000);
  CHECK(capi::timeout_of(0, 700) == 700);
  CHECK(capi::timeout_of(1, 700) == 1);
  CHECK(capi::timeout_of(600'000, 700) == 600'000);
  for (const int wrong : {-1, 600'001}) CHECK(capi::timeout_of(wrong, 700) == 0);
}

TEST_CASE("a sentence is cut to the buffer, and ends") {
  char buffer[4] = "xyz";
  capi::tell(buffer, sizeof buffer, "abcdef");
  CHECK(std::string(buffer) == "abc");
  capi::tell(buffer, 1, "abcdef");
  CHECK(std::string(buffer).empty());
  capi::tell(nullptr, 4, "abcdef");
}
