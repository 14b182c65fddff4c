// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/connector.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "loop/addresses.h"
#include "loop/stream_box.h"
#include "loop/thread.h"
#include "loop/timer.h"

namespace zatt::loop {
namespace {

std::string plain_words(int sys) {
  switch (sys) {
    case ECONNREFUSED:
      return "nothing listens there";
    case ETIMEDOUT:
      return "no answer";
    default:
      return error_text(sys);
  }
}

// Whether libuv can have its threads: it makes them at the first look-up, and aborts where it cannot.
bool has_pool() {
  static std::atomic<bool> is_there = false;
  if (is_there) return true;
  const char* const asked = std::getenv("UV_THREADPOOL_SIZE");
  const int threads = asked == nullptr ? 4 : std::clamp(std::atoi(asked), 1, 1024);
  is_there = has_threads(threads);
  return is_there;
}

}  // namespace

struct Connector::Impl {
  struct LookUp {  // libuv may give it back after we are gone
    uv_getaddrinfo_t request;
    Impl* owner;
  };

  Impl(Loop& in, const Address& to, std::uint64_t limit_ms, OnDone then)
      : loop(in), address(to), timeout_ms(limit_ms), on_done(std::move(then)), timer(in, [this] {
          on_timer();
        }) {}
  ~Impl() {
    if (look_up != nullptr) {
      look_up->owner = nullptr;
      uv_cancel(reinterpret_cast<uv_req_t*>(&look_up->request));
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Numbers are tried at once, a name is looked up first.
  void begin();
  void start_look_up();
  void on_looked_up(int status, const addrinfo* list);
  // Tries the next address; finishes where none is left.
  void try_next();
  // Time to begin, or an attempt has taken too long.
  void on_timer();
  // Begins to connect. Returns an errno where that has failed already, else 0.
  int attempt(const SocketAddress& target);
  // An attempt has ended: 0, or an errno.
  void on_connected(int sys);
  // Calls on_done. *this may be gone after it.
  void finish(Stream connected, std::string reason);

  Loop& loop;
  const Address address;
  const std::uint64_t timeout_ms;
  OnDone on_done;
  std::vector<SocketAddress> addresses;
  std::size_t next = 0;
  std::string why;
  LookUp* look_up = nullptr;
  Stream stream;
  Timer timer;  // 0 before the first attempt, so that no callback comes out of the constructor
  bool begun = false;
};

void Connector::Impl::begin() {
  begun = true;
  if (const auto plain = numeric(address)) {
    addresses = {*plain};
    try_next();
  } else {
    start_look_up();
  }
}

void Connector::Impl::start_look_up() {
  look_up = new LookUp{.request = {}, .owner = this};
  look_up->request.data = look_up;
  const auto done = [](uv_getaddrinfo_t* request, int status, addrinfo* list) noexcept {
    LookUp* const finished = static_cast<LookUp*>(request->data);
    if (Impl* const owner = finished->owner; owner != nullptr) {
      owner->look_up = nullptr;
      owner->on_looked_up(status, list);
    }
    uv_freeaddrinfo(list);
    delete finished;
  };
  if (!has_pool()) {
    delete std::exchange(look_up, nullptr);
    return on_looked_up(-EAGAIN, nullptr);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  const std::string port = std::to_string(address.port);
  const int rc = uv_getaddrinfo(loop.uv(), &look_up->request, done, address.host.c_str(),
                                port.c_str(), &hints);
  if (rc == 0) return;
  delete look_up;
  look_up = nullptr;
  on_looked_up(rc, nullptr);
}

void Connector::Impl::on_looked_up(int status, const addrinfo* list) {
  if (status != 0) {
    finish({}, "cannot look up \"" + address.host + "\": " + error_text(-status));
    return;
  }
  addresses = from_list(list);
  why = "\"" + address.host + "\" has no address";
  try_next();
}

void Connector::Impl::try_next() {
  stream = {};
  if (next == addresses.size()) {
    finish({}, why);
    return;
  }
  timer.start(timeout_ms);
  if (const int sys = attempt(addresses[next++]); sys != 0) on_connected(sys);
}

int Connector::Impl::attempt(const SocketAddress& target) {
  const int fd = socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  stream = Stream(loop, fd);
  if (!stream) return EMFILE;
  if (connect(fd, target.get(), target.length) != 0 && errno != EINPROGRESS && errno != EINTR)
    return errno;
  stream.box_->on_connected = [this](int sys) { on_connected(sys); };
  stream.box_->poll();
  return 0;
}

void Connector::Impl::on_timer() {
  if (!begun) {
    begin();
  } else {
    on_connected(ETIMEDOUT);
  }
}

void Connector::Impl::on_connected(int sys) {
  timer.stop();
  if (sys == 0 && is_connected_to_itself(stream.box_->fd)) {
    reset_when_closed(stream.box_->fd);
    sys = ECONNREFUSED;
  }
  if (sys == 0) return finish(std::move(stream), {});
  why = plain_words(sys);
  const std::string tried = to_address(addresses[next - 1].storage).host;
  if (tried != address.host) why += " (" + tried + ")";
  try_next();
}

void Connector::Impl::finish(Stream connected, std::string reason) {
  timer.stop();
  const OnDone done = std::move(on_done);
  done(std::move(connected), std::move(reason));
}

Connector::Connector(Loop& loop, const Address& address, std::uint64_t timeout_ms_an_address,
                     OnDone on_done)
    : impl_(std::make_unique<Impl>(loop, address, timeout_ms_an_address, std::move(on_done))) {
  impl_->timer.start(0);
}

Connector::~Connector() = default;

}  // namespace zatt::loop
