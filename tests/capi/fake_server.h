// SPDX-License-Identifier: AGPL-3.0-or-later
// A server that does what a test says, on a real port, on a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace zatt::capi::test {

// One accepted connection.
class Peer {
 public:
  Peer(int fd, const std::atomic<bool>& stop) : fd_(fd), stop_(stop) {}
  ~Peer() { close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // False once the client or the test is gone.
  bool line(std::string& out) {
    for (;;) {
      const std::size_t end = received_.find('\n');
      if (end != std::string::npos) {
        out = received_.substr(0, end);
        received_.erase(0, end + 1);
        return true;
      }
      if (!wait(POLLIN)) return false;
      char buffer[4096];
      const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) return false;
      received_.append(buffer, static_cast<std::size_t>(n));
    }
  }
  bool say(std::string_view text) {
    while (!text.empty()) {
      if (!wait(POLLOUT)) return false;
      const ssize_t n = send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  // Until the client is gone, or the test over.
  void hang() {
    std::string ignored;
    while (line(ignored)) {
    }
  }

 private:
  bool wait(short events) const {
    while (!stop_) {
      pollfd polled = {fd_, events, 0};
      if (poll(&polled, 1, 20) > 0) return true;
    }
    return false;
  }

  int fd_;
  const std::atomic<bool>& stop_;
  std::string received_;
};

class FakeServer {
 public:
  // `serve` is called for one connection after the other, numbered from 0.
  explicit FakeServer(std::function<void(Peer& peer, int number)> serve)
      : serve_(std::move(serve)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&name), size) == 0);
    REQUIRE(listen(listener_, 16) == 0);
    REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    port_ = ntohs(name.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeServer() {
    stop_ = true;
    thread_.join();
    close(listener_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

  // What a leader that is alone says of itself.
  static constexpr const char* status =
      "{\"ok\":true,\"node\":\"0\",\"leader\":\"0\",\"members\":{},\"cluster\":\"1\"}\n";

 private:
  void run() {
    while (!stop_) {
      pollfd polled = {listener_, POLLIN, 0};
      if (poll(&polled, 1, 20) <= 0) continue;
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      Peer peer(fd, stop_);
      serve_(peer, connections_++);
    }
  }

  const std::function<void(Peer& peer, int number)> serve_;
  int listener_;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace zatt::capi::test
