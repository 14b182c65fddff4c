// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/greeting.h"

#include "codec/frame.h"

namespace zatt::server {
namespace {

constexpr std::string_view foreign_beginnings[] = {
    "GET ",   "HEAD ",    "POST ",    "PUT ",   "DELETE ",  "PATCH ",
    "TRACE ", "OPTIONS ", "CONNECT ", "PRI * ", "\x16\x03",
};

}  // namespace

Caller who_calls(std::string_view first_bytes) {
  if (first_bytes.empty()) return Caller::unknown;
  if (first_bytes.starts_with(codec::peer_magic)) return Caller::peer;
  if (codec::peer_magic.starts_with(first_bytes)) return Caller::unknown;
  for (const std::string_view beginning : foreign_beginnings) {
    if (first_bytes.starts_with(beginning)) return Caller::foreign;
    if (beginning.starts_with(first_bytes)) return Caller::unknown;
  }
  return Caller::client;
}

}  // namespace zatt::server
