// SPDX-License-Identifier: AGPL-3.0-or-later
// One attempt to reach a host and port: the name looked up anew, its addresses tried in turn.
//
// Destroying it ends the attempt. A look-up under way goes on, and what it finds is dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/types.h"
#include "loop/loop.h"
#include "loop/stream.h"

namespace zatt::loop {

class Connector {
 public:
  // Called once, from the loop: a connected stream, or an empty one and why, for a person. The
  // Connector may be destroyed from it.
  using OnDone = std::function<void(Stream stream, std::string why)>;

  Connector(Loop& loop, const Address& address, std::uint64_t timeout_ms_an_address,
            OnDone on_done);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::loop
