// SPDX-License-Identifier: AGPL-3.0-or-later
// Why a request failed, in the protocol's words. The list is in error_codes.def.
#pragma once

#include <cstdint>
#include <iterator>
#include <string_view>

namespace zatt::codec {

enum class ErrorCode : std::uint8_t {
#define ZATT_SERVER_ERROR(name, ...) name,
#include "codec/error_codes.def"
};
inline constexpr std::string_view error_names[] = {
#define ZATT_SERVER_ERROR(name, ...) #name,
#include "codec/error_codes.def"
};
inline constexpr std::uint8_t error_codes = std::size(error_names);

constexpr std::string_view to_string(ErrorCode code) {
  return error_names[static_cast<std::uint8_t>(code)];
}

}  // namespace zatt::codec
