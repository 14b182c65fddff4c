// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "loop/addresses.h"
#include "loop/stream_box.h"

namespace zatt::loop {
namespace {

struct WriteRequest {
  uv_write_t request;
  std::string bytes;
};

void set_option(uv_tcp_t* handle, int level, int option, int value) {
  uv_os_fd_t fd = -1;
  if (uv_fileno(as_handle(handle), &fd) != 0) return;
  setsockopt(fd, level, option, &value, sizeof value);  // a kernel without it works as well
}

}  // namespace

void Stream::Close::operator()(Box* box) const noexcept {
  box->open = false;
  close_box(box);
}

// The callback may replace the very functions it is one of (set_events), hence the copies.
void Stream::Box::lose(int sys) {
  if (!open || lost) return;
  lost = true;
  uv_read_stop(stream());
  const auto on_end = events.on_end;
  if (on_end) on_end(sys);
}

Stream::Stream(Loop& loop) : box_(new Box{}) {
  box_->read_buffer = loop.read_buffer();
  adopt(box_.get(), uv_tcp_init(loop.uv(), &box_->handle));
}

bool Stream::adopt_socket(int fd) {
  if (uv_tcp_open(&box_->handle, fd) != 0) {
    close(fd);
    return false;
  }
  uv_tcp_nodelay(&box_->handle, 1);
  return true;
}

void Stream::set_events(Events events) { box_->events = std::move(events); }

void Stream::read_start() {
  const auto allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) noexcept {
    buffer->base = static_cast<Box*>(handle->data)->read_buffer;
    buffer->len = Loop::read_buffer_bytes;
  };
  const auto arrived = [](uv_stream_t* stream, ssize_t n, const uv_buf_t* buffer) noexcept {
    Box* const box = static_cast<Box*>(stream->data);
    if (n > 0) {
      const auto on_bytes = box->events.on_bytes;
      if (on_bytes) on_bytes({buffer->base, static_cast<std::size_t>(n)});
    } else if (n == UV_EOF) {
      const auto on_end = box->events.on_end;
      if (on_end) on_end(0);
    } else if (n < 0) {
      box->lose(static_cast<int>(-n));
    }
  };
  if (!box_->lost) uv_read_start(box_->stream(), allocate, arrived);
}

void Stream::read_stop() { uv_read_stop(box_->stream()); }

void Stream::write(std::string bytes) {
  if (box_->lost || bytes.empty()) return;
  std::size_t written = 0;
  if (queued_bytes() == 0) {
    uv_buf_t all = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
    const int n = uv_try_write(box_->stream(), &all, 1);
    if (n > 0) written = static_cast<std::size_t>(n);
    if (written == bytes.size()) return;
  }
  // Where the connection is lost, this says so, later.
  auto* const request = new WriteRequest{.request = {}, .bytes = std::move(bytes)};
  uv_buf_t rest = uv_buf_init(request->bytes.data() + written,
                              static_cast<unsigned>(request->bytes.size() - written));
  const auto done = [](uv_write_t* write, int status) noexcept {
    Box* const box = static_cast<Box*>(write->handle->data);
    delete static_cast<WriteRequest*>(write->data);
    if (status < 0) {
      box->lose(-status);
    } else if (box->open && !box->lost) {
      const auto on_written = box->events.on_written;
      if (on_written) on_written();
    }
  };
  request->request.data = request;
  const int rc = uv_write(&request->request, box_->stream(), &rest, 1, done);
  ZATT_ASSERT(rc == 0);
}

std::size_t Stream::queued_bytes() const {
  return uv_stream_get_write_queue_size(reinterpret_cast<const uv_stream_t*>(&box_->handle));
}

void Stream::shut_down() {
  if (box_->lost) return;
  auto* const request = new uv_shutdown_t{};
  const auto done = [](uv_shutdown_t* shutdown, int) noexcept { delete shutdown; };
  if (uv_shutdown(request, box_->stream(), done) != 0) delete request;  // lost already
}

void Stream::limit_unsent(int bytes) {
  set_option(&box_->handle, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

void Stream::keep_alive(int idle_s, int interval_s) {
  set_option(&box_->handle, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(&box_->handle, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
  set_option(&box_->handle, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
  set_option(&box_->handle, IPPROTO_TCP, TCP_KEEPCNT, 6);
}

void Stream::limit_unacknowledged(int seconds) {
  set_option(&box_->handle, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

Address Stream::remote() const {
  SocketAddress address;
  int length = sizeof address.storage;
  if (uv_tcp_getpeername(&box_->handle, reinterpret_cast<sockaddr*>(&address.storage), &length) !=
      0) {
    return {};
  }
  return to_address(address.storage);
}

}  // namespace zatt::loop
