// SPDX-License-Identifier: AGPL-3.0-or-later
// Names to addresses, once, when a client is opened; later only numbers are read.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "loop/addresses.h"

namespace zatt::capi {

class Addresses {
 public:
  // Blocks. A server that cannot be looked up is left out; an error where that is each of them.
  Status look_up(const std::vector<Address>& servers);
  // Those that could be looked up, in their order.
  const std::vector<Address>& servers() const { return servers_; }

  // Where to connect to; another of a name's addresses each time. Numbers that were never looked
  // up are fine.
  Result<loop::SocketAddress> next(const Address& server);

 private:
  struct Found {
    std::vector<loop::SocketAddress> addresses;
    std::size_t next = 0;
  };
  std::vector<Address> servers_;
  std::map<Address, Found> found_;
};

}  // namespace zatt::capi
