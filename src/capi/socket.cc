// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace zatt::capi {
namespace {

// A peer whose machine is gone says nothing: what it does not acknowledge ends the connection.
constexpr int unacknowledged_ms = 4'000;
constexpr int idle_s = 10;
constexpr int interval_s = 3;
constexpr int probes = 3;

void set_option(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);  // none of them is needed to be right
}

Error failed(int sys, const char* what) { return {Code::io, sys, what, ""}; }

bool is_not_now(int sys) { return sys == EAGAIN || sys == EINTR; }

}  // namespace

Socket::~Socket() {
  forget();
  give_up();
  forget();
}

Status Socket::connect(const loop::SocketAddress& address) {
  give_up();
  fd_ = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return failed(errno, "socket");
  set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms);
  set_option(fd_, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd_, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
  set_option(fd_, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
  set_option(fd_, IPPROTO_TCP, TCP_KEEPCNT, probes);
  if (::connect(fd_, address.get(), address.length) == 0 || errno == EINPROGRESS || errno == EINTR)
    return ok;
  const int sys = errno;
  give_up();
  return failed(sys, "connect");
}

std::optional<Status> Socket::connected() {
  pollfd writable = {fd_, POLLOUT, 0};
  if (poll(&writable, 1, 0) <= 0) return std::nullopt;
  int sys = 0;
  socklen_t size = sizeof sys;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &sys, &size) != 0) sys = errno;
  if (sys == 0 && loop::is_connected_to_itself(fd_)) {
    loop::reset_when_closed(fd_);
    sys = ECONNREFUSED;
  }
  if (sys != 0) return Status(failed(sys, "connect"));
  return Status(ok);
}

Result<std::size_t> Socket::read(char* buffer, std::size_t size) {
  const ssize_t n = recv(fd_, buffer, size, 0);
  if (n > 0) return static_cast<std::size_t>(n);
  if (n == 0) return Error{Code::io, 0, "", "the server has closed the connection"};
  if (is_not_now(errno)) return std::size_t{0};
  return failed(errno, "read");
}

Result<std::size_t> Socket::write(std::string_view bytes) {
  const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (is_not_now(errno)) return std::size_t{0};
  return failed(errno, "write");
}

void Socket::give_up() {
  const int fd = std::exchange(fd_, -1);
  if (fd < 0) return;
  if (fd != shown_) {
    close(fd);
    return;
  }
  ZATT_ASSERT(kept_ < 0);
  shutdown(fd, SHUT_RDWR);
  kept_ = fd;
  shown_ = -1;
}

void Socket::forget() {
  const int fd = std::exchange(kept_, -1);
  if (fd >= 0) close(fd);
}

}  // namespace zatt::capi
