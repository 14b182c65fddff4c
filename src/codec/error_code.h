// SPDX-License-Identifier: AGPL-3.0-or-later
// Why a request failed, in the protocol's words: those of who answers and of who asked.
#pragma once

#include <cstdint>
#include <string_view>

namespace zatt::codec {

enum class ErrorCode : std::uint8_t {
  bad_request,
  too_large,
  condition_failed,
  no_leader,
  overloaded,
  unavailable,
  outcome_unknown,
  session_expired,
  stale_seq,
  compacted,
  not_found,
  unauthorized,
  storage_full,
  shutting_down,
};
inline constexpr std::uint8_t error_codes = 14;

std::string_view to_string(ErrorCode code);

}  // namespace zatt::codec
