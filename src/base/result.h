// SPDX-License-Identifier: AGPL-3.0-or-later
// Trouble that the world makes: a full disk, a torn file, bytes that do not parse.
//
// Our own bugs are ZATT_ASSERT's, and a plain "no" is a plain value. The part of std::expected
// that we use, under its names.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace zatt {

enum class Code : std::uint8_t {
  io,       // the system said no: sys has its errno
  corrupt,  // durable data is damaged
  invalid,  // the input breaks a rule
  too_big,  // over a limit
  foreign,  // another node's or another cluster's data
  newer,    // a format that a later version wrote
  locked,   // in use by another process
};

struct Error {
  Code code;
  int sys = 0;            // errno or UV_E*; 0 when the system said nothing
  const char* what = "";  // static text: what we were doing, for the log line
  std::string detail{};   // file, offset, field: what a person needs to act
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::move(value)) {}      // NOLINT: `return value;` must read plainly
  Result(Error error) : v_(std::move(error)) {}  // NOLINT
  explicit operator bool() const { return v_.index() == 0; }
  T& operator*() {
    ZATT_ASSERT(v_.index() == 0);
    return *std::get_if<0>(&v_);
  }
  const T& operator*() const {
    ZATT_ASSERT(v_.index() == 0);
    return *std::get_if<0>(&v_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  const Error& error() const {
    ZATT_ASSERT(v_.index() == 1);
    return *std::get_if<1>(&v_);
  }

 private:
  std::variant<T, Error> v_;
};

using Status = Result<std::monostate>;
inline constexpr std::monostate ok{};  // return ok;

// The error as one line for a person: what, detail, and the system's word for it.
std::string to_string(const Error& error);

}  // namespace zatt
