// SPDX-License-Identifier: AGPL-3.0-or-later
// Why a request failed, in the protocol's words. The list is in error_codes.def.
#pragma once

#include <cstdint>
#include <string_view>

namespace zatt::codec {

enum class ErrorCode : std::uint8_t {
#define ZATT_SERVER_ERROR(name, ...) name,
#include "codec/error_codes.def"
};
inline constexpr std::uint8_t error_codes = 0
#define ZATT_SERVER_ERROR(...) +1
#include "codec/error_codes.def"
    ;

std::string_view to_string(ErrorCode code);

}  // namespace zatt::codec
