// SPDX-License-Identifier: AGPL-3.0-or-later
// Connections of this process that meet themselves when a test says so: as where the port that is
// dialled is free, lies in the range of outgoing ports, and the system happens to take it for the
// dialling end (TCP's simultaneous open).
#pragma once

#include <atomic>
#include <cstdint>

namespace zatt::test {

// Which connect() calls are meant; 0: none. Another port is dialled as ever.
extern std::atomic<std::uint16_t> own_port;
// How many sockets have met themselves.
extern std::atomic<int> met_themselves;

// One that nobody has, not even the end of an old connection. 127.0.0.1's.
std::uint16_t free_port();
// Whether a server could listen on it now, without SO_REUSEADDR.
bool is_free(std::uint16_t port);

}  // namespace zatt::test
