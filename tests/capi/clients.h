// SPDX-License-Identifier: AGPL-3.0-or-later
// A zatt_client that closes by itself.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "zatt/zatt.h"

namespace zatt::capi::test {

struct Close {
  void operator()(zatt_client* client) const { zatt_client_close(client); }
};
using Client = std::unique_ptr<zatt_client, Close>;

inline Client client_of(const std::string& servers, int timeout_ms = 300) {
  zatt_client_options options = zatt_client_options_of(servers.c_str());
  options.timeout_ms = timeout_ms;
  zatt_client* client = nullptr;
  REQUIRE(zatt_client_open(&options, &client) == ZATT_OK);
  return Client(client);
}

}  // namespace zatt::capi::test
