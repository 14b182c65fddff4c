// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/resolve.h"

#include <netdb.h>

#include <cstring>

namespace zatt::capi {
namespace {

Result<std::vector<SocketAddress>> look_up_one(const Address& server, int flags) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  const int rc =
      getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &list);
  if (rc != 0)
    return Error{Code::invalid, 0, "",
                 "cannot look up \"" + server.host + "\": " + gai_strerror(rc)};
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    if (each->ai_addrlen > sizeof(sockaddr_storage)) continue;
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.length = each->ai_addrlen;
  }
  freeaddrinfo(list);
  if (addresses.empty())
    return Error{Code::invalid, 0, "", "\"" + server.host + "\" has no address"};
  return addresses;
}

}  // namespace

Status Addresses::look_up(const std::vector<Address>& servers) {
  std::string why;
  for (const Address& server : servers) {
    auto addresses = look_up_one(server, 0);
    if (!addresses) {
      why += (why.empty() ? "" : "; ") + addresses.error().detail;
      continue;
    }
    servers_.push_back(server);
    found_[server] = {std::move(*addresses), 0};
  }
  if (servers_.empty()) return Error{Code::invalid, 0, "", why};
  return ok;
}

Result<SocketAddress> Addresses::next(const Address& server) {
  const auto it = found_.find(server);
  if (it == found_.end()) {
    auto numbers = look_up_one(server, AI_NUMERICHOST);
    if (!numbers) return numbers.error();
    return numbers->front();
  }
  Found& found = it->second;
  return found.addresses[found.next++ % found.addresses.size()];
}

}  // namespace zatt::capi
