// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "loop/addresses.h"
#include "loop/stream_box.h"
#include "loop/timer.h"

namespace zatt::loop {
namespace {

constexpr int backlog = 1024;
constexpr int accepts_a_turn = 64;
constexpr std::uint64_t shortage_pause_ms = 100;

// A bound socket, or the errno that prevented it.
Result<int> bound_socket(const SocketAddress& address) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error{Code::io, errno, "socket", ""};
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address.get(), address.length) == 0) return fd;
  const int sys = errno;
  close(fd);
  return Error{Code::io, sys, "bind", ""};
}

int open_reserve() { return open("/", O_RDONLY | O_CLOEXEC); }

}  // namespace

struct Listener::Box : SocketBox {
  Loop* loop = nullptr;
  int reserve_fd = open_reserve();
  Events events;
  std::optional<Timer> pause;

  // Accepts one connection. Returns whether it is worth trying again at once.
  bool take_one();
  // Where no descriptor is left: spends the reserve to accept and close. Returns as take_one().
  bool turn_one_away();
  // Accepts what there is, up to a bound, so that others have their turn.
  void take_some();
  void poll_start();
  // Stops listening for a moment: memory or descriptors are short.
  void wait_a_while();
  void before_close() noexcept;
};
template struct Close<Listener::Box>;

bool Listener::Box::take_one() {
  const int client = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client >= 0) {
    Stream stream(*loop, client);
    if (stream) events.on_connection(std::move(stream));
    return true;
  }
  const int sys = errno;
  switch (sys) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
      events.on_shortage(sys);
      return open && turn_one_away();
    case ENOBUFS:
    case ENOMEM:
      events.on_shortage(sys);
      if (open) wait_a_while();
      return false;
    default:
      return true;  // that caller has gone again, or its network has
  }
}

bool Listener::Box::turn_one_away() {
  if (reserve_fd < 0) reserve_fd = open_reserve();
  if (reserve_fd < 0) {
    wait_a_while();
    return false;
  }
  close(reserve_fd);
  const int client = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client >= 0) close(client);
  reserve_fd = open_reserve();
  return client >= 0;
}

void Listener::Box::take_some() {
  for (int i = 0; open && i < accepts_a_turn; ++i) {
    if (!take_one()) return;
  }
}

void Listener::Box::poll_start() {
  uv_poll_start(&handle, UV_READABLE, [](uv_poll_t* poll, int, int) noexcept {
    static_cast<Box*>(poll->data)->take_some();
  });
}

void Listener::Box::wait_a_while() {
  uv_poll_stop(&handle);
  if (!pause) pause.emplace(*loop, [this] { poll_start(); });
  pause->start(shortage_pause_ms);
}

void Listener::Box::before_close() noexcept {
  pause.reset();
  if (reserve_fd >= 0) close(reserve_fd);
}

Result<Listener> Listener::bind(Loop& loop, const Address& address) {
  auto resolved = resolve_now(address);
  if (!resolved) return resolved.error();
  std::vector<SocketAddress>& choices = *resolved;
  std::stable_partition(choices.begin(), choices.end(),
                        [](const SocketAddress& a) { return a.family() == AF_INET; });
  Error first{Code::invalid, 0, "", "\"" + address.host + "\" has no address"};
  for (const SocketAddress& choice : choices) {
    const auto fd = bound_socket(choice);
    if (!fd) {
      if (first.sys == 0) first = fd.error();
      continue;
    }
    auto* const box = new Box{};
    box->loop = &loop;
    box->fd = *fd;
    adopt(box, uv_poll_init(loop.uv(), &box->handle, *fd));
    return Listener(box);
  }
  return first;
}

Status Listener::listen(Events events) {
  box_->events = std::move(events);
  if (::listen(box_->fd, backlog) != 0) return Error{Code::io, errno, "listen", ""};
  box_->poll_start();
  return ok;
}

Address Listener::local() const {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  if (getsockname(box_->fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return to_address(storage);
}

}  // namespace zatt::loop
