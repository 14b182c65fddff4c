// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/printable.h"

#include <doctest/doctest.h>

using namespace zatt;

TEST_CASE("printable: control characters are shown as such, text is left alone") {
  CHECK(printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(printable(std::string_view("a\nb\0c\x1b\x7f", 7)) == "a?b?c??");
}
