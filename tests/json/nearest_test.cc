// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/nearest.h"

#include <doctest/doctest.h>

#include <string>

namespace zatt::json {

TEST_CASE("nearest: what was probably meant") {
  constexpr std::string_view known[] = {"get",        "set", "delete",   "value",
                                        "timeout_ms", "id",  "keys_only"};
  struct Row {
    const char* name;
    const char* want;
  };
  const Row rows[] = {
      {"gte", "get"},
      {"vlaue", "value"},
      {"val", "value"},
      {"del", "delete"},
      {"GET", "get"},
      {"timeout", "timeout_ms"},
      {"valu", "value"},
      {"timout_ms", "timeout_ms"},
      {"keysonly", "keys_only"},
      {"remove", ""},
      {"x", ""},
      {"", ""},
      {"put", ""},
      {"get", "get"},
      {"ud", "id"},
      {"Delete", "delete"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(nearest(row.name, known) == row.want);
  }
  CHECK(nearest(std::string(1000000, 'x'), known).empty());
  CHECK(did_you_mean("vlaue", known) == "; did you mean \"value\"?");
  CHECK(did_you_mean("zzz", known).empty());
}

TEST_CASE("nearest: a long name is shown shortened, between characters") {
  CHECK(quoted("short") == "\"short\"");
  CHECK(quoted(std::string(64, 'a')) == "\"" + std::string(64, 'a') + "\"");
  CHECK(quoted(std::string(65, 'a')) == "\"" + std::string(64, 'a') + "…\"");
  CHECK(quoted(std::string(63, 'a') + "\xe2\x82\xac") == "\"" + std::string(63, 'a') + "…\"");
}

}  // namespace zatt::json
