// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/notify.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace {

// The other end, as a service manager has it; `name` as NOTIFY_SOCKET names it.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() { close(fd_); }

  std::string heard() {
    char bytes[100];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    return n < 0 ? "" : std::string(bytes, static_cast<std::size_t>(n));
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("notify: a datagram to the socket that is named") {
  const std::string number = std::to_string(getpid());
  for (const std::string& name :
       {"@zatt-notify-test-" + number, "/tmp/zatt-notify-test-" + number}) {
    CAPTURE(name);
    Manager manager(name);
    zatt::notify(name.c_str(), "READY=1");
    zatt::notify(name.c_str(), "STOPPING=1");
    CHECK(manager.heard() == "READY=1");
    CHECK(manager.heard() == "STOPPING=1");
    CHECK(manager.heard().empty());
    if (name[0] == '/') unlink(name.c_str());
  }
}

TEST_CASE("notify: nobody there, or no such name, is no matter") {
  zatt::notify(nullptr, "READY=1");
  for (const std::string& name : {std::string(), std::string("@"), std::string("relative"),
                                  std::string("/nonexistent/socket"), "/" + std::string(200, 'x')})
    zatt::notify(name.c_str(), "READY=1");
}
