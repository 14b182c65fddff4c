// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/addresses.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

namespace zatt::loop {
namespace {

// What getaddrinfo says; `out` is empty where that is an error.
int look_up(const Address& address, int flags, std::vector<SocketAddress>& out) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  const int rc =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (rc != 0) return rc;
  out = from_list(list);
  freeaddrinfo(list);
  return 0;
}

}  // namespace

std::optional<SocketAddress> numeric(const Address& address) {
  std::vector<SocketAddress> addresses;
  if (look_up(address, AI_NUMERICHOST, addresses) != 0 || addresses.empty()) return std::nullopt;
  return addresses.front();
}

std::vector<SocketAddress> from_list(const addrinfo* list) {
  std::vector<SocketAddress> addresses;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    if (info->ai_addrlen > sizeof(sockaddr_storage)) continue;
    SocketAddress address;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    address.length = info->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

Result<std::vector<SocketAddress>> resolve_now(const Address& address) {
  std::vector<SocketAddress> addresses;
  if (const int rc = look_up(address, 0, addresses); rc != 0) {
    return Error{Code::invalid, 0, "",
                 "cannot look up \"" + address.host + "\": " + gai_strerror(rc)};
  }
  return addresses;
}

bool is_connected_to_itself(int fd) {
  sockaddr_storage own = {};
  sockaddr_storage peer = {};
  socklen_t own_size = sizeof own;
  socklen_t peer_size = sizeof peer;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) return false;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return false;
  return to_address(own) == to_address(peer);
}

void reset_when_closed(int fd) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Address to_address(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN + 1] = "";
  Address address;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    address.port = ntohs(v6.sin6_port);
  } else if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    address.port = ntohs(v4.sin_port);
  }
  address.host = text;
  return address;
}

}  // namespace zatt::loop
