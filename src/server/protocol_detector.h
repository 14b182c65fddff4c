// SPDX-License-Identifier: AGPL-3.0-or-later
// What a connection speaks, by its first bytes: one port serves all.
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
  // Not spoken here: told so in their own way, where that is simple, and closed.
  http,
  redis,
  tls,
};

// More than this is never needed.
inline constexpr std::size_t max_detect_bytes = 8;

Protocol detect_protocol(std::string_view first_bytes);

// What somebody reads whose protocol is not spoken here. Nothing of what it asks is carried out.
std::string rejection_of(Protocol protocol);

}  // namespace zatt::server
