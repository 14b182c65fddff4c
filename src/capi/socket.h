// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's TCP socket, plain and non-blocking: no loop, no thread, no signal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/addresses.h"

namespace zatt::capi {

class Socket {
 public:
  Socket() = default;
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Begins to connect. Gives up the one before first: see give_up().
  Status connect(const loop::SocketAddress& address);
  // Whether connect() came to its end: nothing while it is under way.
  std::optional<Status> connected();

  // How much was done. 0: not now. An error ends the connection; the peer's end is one, too.
  Result<std::size_t> read(char* buffer, std::size_t size);
  Result<std::size_t> write(std::string_view bytes);

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

  // The peer sees its end at once, but the number stays taken if the host was shown it: until
  // forget() it comes back as no other socket, so that the host never polls one for the other.
  void give_up();
  void forget();
  void shown() { shown_ = fd_; }

 private:
  int fd_ = -1;
  int shown_ = -1;  // what the host polls
  int kept_ = -1;   // given up, but shown
};

}  // namespace zatt::capi
