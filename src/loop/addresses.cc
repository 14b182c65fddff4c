// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/addresses.h"

#include <netdb.h>
#include <netinet/in.h>
#include <uv.h>

#include <cstring>

namespace zatt::loop {
namespace {

template <class T>
SocketAddress wrap(const T& address) {
  SocketAddress result;
  std::memcpy(&result.storage, &address, sizeof address);
  result.length = sizeof address;
  return result;
}

}  // namespace

std::optional<SocketAddress> numeric(const Address& address) {
  sockaddr_in v4{};
  if (uv_ip4_addr(address.host.c_str(), address.port, &v4) == 0) return wrap(v4);
  sockaddr_in6 v6{};
  if (uv_ip6_addr(address.host.c_str(), address.port, &v6) == 0) return wrap(v6);
  return std::nullopt;
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
  if (const auto plain = numeric(address)) return std::vector<SocketAddress>{*plain};
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int rc =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (rc != 0) {
    return Error{Code::invalid, 0, "",
                 "cannot look up \"" + address.host + "\": " + gai_strerror(rc)};
  }
  std::vector<SocketAddress> addresses = from_list(list);
  freeaddrinfo(list);
  return addresses;
}

Address to_address(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN + 1] = "";
  Address address;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    uv_ip6_name(&v6, text, sizeof text);
    address.port = ntohs(v6.sin6_port);
  } else if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    uv_ip4_name(&v4, text, sizeof text);
    address.port = ntohs(v4.sin_port);
  }
  address.host = text;
  return address;
}

}  // namespace zatt::loop
