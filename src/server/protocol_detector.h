// SPDX-License-Identifier: AGPL-3.0-or-later
// Who is calling? The first bytes of a connection say it: one port serves all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace zatt::server {

enum class Protocol : std::uint8_t {
  unknown,  // too little to say
  peer,     // another node
  client,   // lines
  // Speak something else: told so in their own way, where they have one that is simple, and closed.
  http,
  redis,
  tls,
};

// More than this is never needed.
inline constexpr std::size_t max_detect_bytes = 8;

Protocol detect_protocol(std::string_view first_bytes);

// What one reads who speaks something else. Nothing of what it asks is carried out.
std::string rejection_of(Protocol caller);

}  // namespace zatt::server
