// SPDX-License-Identifier: AGPL-3.0-or-later
// Says whether a node's port is one that the system may give to other connections.
//
// Outgoing connections take their ports from a range of the system's. Whoever holds one while a
// node is down keeps it from starting: then it is in use, by nobody who listens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace zatt {

// What a person should know of it, or nothing. `range` and `reserved` as in /proc/sys/net/ipv4:
// "32768\t60999", and "8080,9148-9200" or nothing; what does not parse is as if it said nothing.
std::string odd_port(std::uint16_t port, std::string_view range, std::string_view reserved);

// The same, of this machine.
std::string odd_port(std::uint16_t port);

}  // namespace zatt
