// SPDX-License-Identifier: AGPL-3.0-or-later
// What a service manager hears of this process (sd_notify(3)): that it serves, that it stops.
//
// A datagram to the socket that it named, without its library: Type=notify orders other units after
// this one by it.
#pragma once

#include <string_view>

namespace zatt {

// `socket` is what NOTIFY_SOCKET says: a path, or with an @ before it a name without a file.
// Nothing where it is null or empty. Who does not listen misses it, and nobody waits.
void notify(const char* socket, std::string_view state);

}  // namespace zatt
