// SPDX-License-Identifier: AGPL-3.0-or-later
// Who is calling? The first bytes of a connection say it: one port serves all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace zatt::server {

enum class Caller : std::uint8_t {
  unknown,  // too little to say
  peer,     // another node
  client,   // lines
  foreign,  // speaks HTTP or TLS: told so, and closed
};

// More than this is never needed.
inline constexpr std::size_t max_greeting_bytes = 8;

Caller who_calls(std::string_view first_bytes);

// What a foreign caller reads.
inline constexpr std::string_view foreign_reply =
    "{\"ok\":false,\"error\":\"bad_request\",\"message\":\"this port speaks JSON lines\"}\n";

}  // namespace zatt::server
