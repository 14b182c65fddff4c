// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/resolve.h"

#include <utility>

namespace zatt::capi {

Status Addresses::look_up(const std::vector<Address>& servers) {
  std::string why;
  for (const Address& server : servers) {
    auto addresses = loop::resolve_now(server);
    if (!addresses || addresses->empty()) {
      why += (why.empty() ? "" : "; ") +
             (addresses ? "\"" + server.host + "\" has no address" : addresses.error().detail);
      continue;
    }
    servers_.push_back(server);
    found_[server] = {std::move(*addresses), 0};
  }
  if (servers_.empty()) return Error{Code::invalid, 0, "", why};
  return ok;
}

Result<loop::SocketAddress> Addresses::next(const Address& server) {
  const auto it = found_.find(server);
  if (it == found_.end()) {
    const auto numbers = loop::numeric(server);
    if (!numbers) return Error{Code::invalid, 0, "", "\"" + server.host + "\" is not an address"};
    return *numbers;
  }
  Found& found = it->second;
  return found.addresses[found.next++ % found.addresses.size()];
}

}  // namespace zatt::capi
