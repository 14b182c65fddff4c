// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/error_code.h"

namespace zatt::codec {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_request:
      return "bad_request";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::condition_failed:
      return "condition_failed";
    case ErrorCode::no_leader:
      return "no_leader";
    case ErrorCode::overloaded:
      return "overloaded";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::outcome_unknown:
      return "outcome_unknown";
    case ErrorCode::session_expired:
      return "session_expired";
    case ErrorCode::stale_seq:
      return "stale_seq";
    case ErrorCode::compacted:
      return "compacted";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::unauthorized:
      return "unauthorized";
    case ErrorCode::storage_full:
      return "storage_full";
    case ErrorCode::shutting_down:
      return "shutting_down";
  }
  return "";
}

}  // namespace zatt::codec
