// SPDX-License-Identifier: AGPL-3.0-or-later
// What we promised ourselves, checked in release builds too.
//
// A server that doubts itself stops, and its peers carry on: a wrong answer would be worse.
#pragma once

namespace zatt {

// Prints the broken promise to stderr and aborts (exit status 134). Any thread.
[[noreturn]] void assertion_failed(const char* text, const char* file, int line) noexcept;

}  // namespace zatt

#define ZATT_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::zatt::assertion_failed(#condition, __FILE__, __LINE__))
