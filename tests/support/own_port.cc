// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/own_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace zatt::test {
namespace {

sockaddr_in local(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int bind_to(int fd, std::uint16_t port) {
  const sockaddr_in address = local(port);
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

std::atomic<std::uint16_t> own_port = 0;
std::atomic<int> met_themselves = 0;

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  if (bind_to(fd, 0) == 0) getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

bool is_free(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool listens = bind_to(fd, port) == 0 && listen(fd, 1) == 0;
  close(fd);
  return listens;
}

}  // namespace zatt::test

// In place of the system library's, for all that is linked to the tests.
extern "C" int connect(int fd, const sockaddr* address, socklen_t size) {
  const std::uint16_t own = zatt::test::own_port;
  sockaddr_in to = {};
  if (own != 0 && size == sizeof to) {
    std::memcpy(&to, address, sizeof to);
    if (to.sin_family == AF_INET && ntohs(to.sin_port) == own) {
      if (zatt::test::bind_to(fd, own) != 0) return -1;
      ++zatt::test::met_themselves;
    }
  }
  return static_cast<int>(syscall(SYS_connect, fd, address, size));
}
