// SPDX-License-Identifier: AGPL-3.0-or-later
// What a host and port mean to the system: the socket addresses to try, in order.
//
// Without libuv, so that a client that has no loop can ask it too.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

struct addrinfo;

namespace zatt::loop {

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// The address where `address.host` is numbers: nobody is asked.
std::optional<SocketAddress> numeric(const Address& address);

std::vector<SocketAddress> from_list(const addrinfo* list);

// Asks the system's resolver and waits for it: for the start of a program only.
Result<std::vector<SocketAddress>> resolve_now(const Address& address);

// Whether its two ends are one address. The system connects a local port in the range it takes
// outgoing ports from, and where nobody listens, to itself at times: what answers is an echo, and
// whoever belongs there cannot start.
bool is_connected_to_itself(int fd);

// Has it closed by a reset, so that the port is not kept even for TIME_WAIT.
void reset_when_closed(int fd);

// "127.0.0.1:5254", "[::1]:5254"
Address to_address(const sockaddr_storage& storage);

}  // namespace zatt::loop
