// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/result.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>

using namespace zatt;

TEST_CASE("result: holds a value") {
  Result<std::string> result = std::string("value");
  REQUIRE(result);
  CHECK(*result == "value");
  CHECK(result->size() == 5);
  *result += "s";
  const Result<std::string>& view = result;
  CHECK(*view == "values");
  CHECK(view->size() == 6);
}

TEST_CASE("result: holds an error") {
  const Result<std::string> result = Error{.code = Code::corrupt, .what = "w", .detail = "d"};
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Code::corrupt);
  CHECK(result.error().detail == "d");
}

TEST_CASE("result: values that only move") {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  REQUIRE(result);
  const std::unique_ptr<int> taken = std::move(*result);
  CHECK(*taken == 7);
}

TEST_CASE("result: a status is ok or an error") {
  const auto check = [](bool good) -> Status {
    if (good) return ok;
    return Error{.code = Code::invalid, .what = "checking", .detail = ""};
  };
  CHECK(check(true));
  CHECK_FALSE(check(false));
}

TEST_CASE("result: an error as a line for a person") {
  CHECK(to_string(Error{.code = Code::corrupt, .what = "reading x", .detail = ""}) == "reading x");
  CHECK(to_string(Error{.code = Code::corrupt, .what = "reading x", .detail = "at 7"}) ==
        "reading x: at 7");
  CHECK(to_string(Error{.code = Code::io, .sys = ENOENT, .what = "opening", .detail = "a/b"}) ==
        "opening: a/b: No such file or directory");
  CHECK(to_string(Error{.code = Code::io, .sys = ENOENT, .detail = "a/b"}) ==
        "a/b: No such file or directory");
}
