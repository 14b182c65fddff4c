// SPDX-License-Identifier: AGPL-3.0-or-later
// A host's zatt_request as its own node takes it.
#pragma once

#include <cstddef>

#include "client/request.h"
#include "codec/json_request.h"
#include "zatt/zatt.h"

namespace zatt::capi {

struct HostRequest {
  codec::Request request;
  std::size_t size = 0;  // of what was given
  bool only_reads = false;
};

// One thread at a time.
class HostRequestReader {
 public:
  // Of a node that takes requests of so many bytes; `timeout_ms` is of those that name none.
  HostRequestReader(std::size_t max_bytes, int timeout_ms)
      : max_bytes_(max_bytes), timeout_ms_(timeout_ms) {}

  // ZATT_OK, or ZATT_EINVAL where a field breaks a rule. Nothing of `given` is kept.
  int read(const zatt_request* given, HostRequest& out);

 private:
  // One of the protocol's operations, by way of its line.
  int read_line(const zatt_request& given, HostRequest& out);

  const std::size_t max_bytes_;
  const int timeout_ms_;
  client::RequestWriter writer_;
  codec::JsonRequestParser parser_;
};

}  // namespace zatt::capi
