// SPDX-License-Identifier: AGPL-3.0-or-later
// A port that hands out the connections made to it, and survives a lack of descriptors.
//
// Where no descriptor is left, a reserved one is spent to accept and close at once: the caller
// sees an end instead of silence, and the loop does not spin on a port that stays readable.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/types.h"
#include "loop/box.h"
#include "loop/loop.h"
#include "loop/stream.h"

namespace zatt::loop {

class Listener {
 public:
  // Takes the port; nobody can connect yet. Of a name's addresses the first that works, IPv4
  // before IPv6. Error::sys says what was wrong: EADDRINUSE, EADDRNOTAVAIL, EACCES.
  static Result<Listener> bind(Loop& loop, const Address& address);

  struct Events {
    std::function<void(Stream stream)> on_connection;
    // A caller was turned away, or will have to wait, for lack of descriptors or memory.
    std::function<void(int sys)> on_shortage;
  };
  Status listen(Events events);

  Address local() const;  // with the real port where 0 was asked for

 private:
  struct Box;
  explicit Listener(Box* box) : box_(box) {}

  Owned<Box> box_;
};

}  // namespace zatt::loop
