// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "loop/addresses.h"
#include "loop/stream_box.h"

namespace zatt::loop {
namespace {

constexpr int reads_a_turn = 32;  // then the others have their turn

int pending_error(int fd) {
  int sys = 0;
  socklen_t length = sizeof sys;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &length) != 0) return errno;
  return sys;
}

}  // namespace

// --- the box -------------------------------------------------------------------------------------

template struct Close<Stream::Box>;

void Stream::Box::poll() {
  const bool writing = !queue.empty() || on_connected;
  const int wanted = lost ? 0 : (reading ? UV_READABLE : 0) | (writing ? UV_WRITABLE : 0);
  if (wanted == polled) return;
  polled = wanted;
  if (wanted == 0) {
    uv_poll_stop(&handle);
    return;
  }
  const int rc =
      uv_poll_start(&handle, wanted, [](uv_poll_t* poll, int status, int ready) noexcept {
        static_cast<Box*>(poll->data)->on_event(status, ready);
      });
  ZATT_ASSERT(rc == 0);
}

void Stream::Box::on_event(int status, int ready) {
  if (!open) return;
  if (status != 0) {  // an error waits in the socket: whoever reads or writes gets it
    polled = 0;
    ready = UV_READABLE | UV_WRITABLE;
  }
  if (on_connected) {
    const auto done = std::exchange(on_connected, nullptr);
    poll();
    return done(pending_error(fd));
  }
  if ((ready & UV_READABLE) != 0 && reading) read();
  if (open && (ready & UV_WRITABLE) != 0 && !queue.empty()) write();
  if (open) poll();
}

void Stream::Box::read() {
  for (int i = 0; i < reads_a_turn && open && reading && !lost; ++i) {
    if (within_turns && loop->turn_is_over()) return;
    const std::size_t most = within_turns && !freely ? loop->read_bytes() : Loop::read_buffer_bytes;
    const ssize_t n = recv(fd, loop->read_buffer(), most, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) lose(errno);
      return;
    }
    if (n == 0) {
      reading = false;
      const auto on_end = events.on_end;
      if (on_end) on_end(0);
      return;
    }
    // The callback may replace the very functions it is one of (set_events), hence the copies.
    const auto on_bytes = events.on_bytes;
    const auto size = static_cast<std::size_t>(n);
    if (on_bytes) on_bytes({loop->read_buffer(), size});
    if (size < most) return;
  }
}

void Stream::Box::write() {
  const std::size_t before = queued_bytes;
  while (!lost && failure == 0 && !queue.empty()) {
    const std::string_view rest = std::string_view(queue.front()).substr(sent_of_first);
    const std::size_t sent = send_some(rest);
    queued_bytes -= sent;
    sent_of_first += sent;
    if (sent < rest.size()) break;
    queue.pop_front();
    sent_of_first = 0;
  }
  if (failure != 0) return lose(failure);
  finish_writing();
  if (queued_bytes == before) return;
  const auto on_written = events.on_written;
  if (on_written) on_written();
}

std::size_t Stream::Box::send_some(std::string_view bytes) {
  while (true) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) failure = errno;
    return 0;
  }
}

void Stream::Box::finish_writing() {
  if (!shutting_down || !queue.empty()) return;
  shutting_down = false;
  shutdown(fd, SHUT_WR);
}

void Stream::Box::lose(int sys) {
  if (!open || lost) return;
  lost = true;
  poll();
  const auto on_end = events.on_end;
  if (on_end) on_end(sys);
}

// --- the stream ----------------------------------------------------------------------------------

Stream::Stream(Loop& loop, int fd) {
  auto* const box = new Box{};
  box->loop = &loop;
  box->fd = fd;
  if (uv_poll_init(loop.uv(), &box->handle, fd) != 0) {
    close(fd);
    delete box;
    return;
  }
  box->handle.data = box;
  box_.reset(box);
  set_option(IPPROTO_TCP, TCP_NODELAY, 1);
}

void Stream::set_events(Events events) { box_->events = std::move(events); }

void Stream::read_start() {
  if (box_->lost) return;
  box_->reading = true;
  box_->poll();
}

void Stream::read_stop() {
  box_->reading = false;
  box_->poll();
}

void Stream::write(std::string&& bytes) {
  if (box_->lost || bytes.empty()) return;
  std::size_t sent = 0;
  if (box_->queue.empty() && box_->failure == 0) {
    sent = box_->send_some(bytes);
    if (sent == bytes.size()) return;
    box_->sent_of_first = sent;
  }
  box_->queued_bytes += bytes.size() - sent;
  box_->queue.push_back(std::move(bytes));
  box_->poll();  // where the connection is lost, this says so, later
}

std::size_t Stream::queued_bytes() const { return box_->queued_bytes; }

std::size_t Stream::unacknowledged_bytes() const {
  int in_kernel = 0;
  if (ioctl(box_->fd, TIOCOUTQ, &in_kernel) != 0 || in_kernel < 0) in_kernel = 0;
  return box_->queued_bytes + static_cast<std::size_t>(in_kernel);
}

void Stream::shut_down() {
  if (box_->lost) return;
  box_->shutting_down = true;
  box_->finish_writing();
}

void Stream::set_option(int level, int option, int value) {
  setsockopt(box_->fd, level, option, &value, sizeof value);
}

void Stream::read_within_turns(bool within) { box_->within_turns = within; }
void Stream::read_freely(bool freely) { box_->freely = freely; }

void Stream::limit_unsent(int bytes) { set_option(IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes); }

void Stream::keep_alive(int idle_s, int interval_s) {
  set_option(SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
  set_option(IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
  set_option(IPPROTO_TCP, TCP_KEEPCNT, 6);
}

void Stream::limit_unacknowledged(int seconds) {
  set_option(IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

Address Stream::remote() const {
  SocketAddress address;
  address.length = sizeof address.storage;
  auto* const out = reinterpret_cast<sockaddr*>(&address.storage);
  if (getpeername(box_->fd, out, &address.length) != 0) return {};
  return to_address(address.storage);
}

}  // namespace zatt::loop
