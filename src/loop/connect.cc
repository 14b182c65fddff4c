// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/connect.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "loop/addresses.h"
#include "loop/stream_box.h"
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

}  // namespace

struct Connect::Impl {
  // Requests that libuv gives back later than we may live.
  struct LookUp {
    uv_getaddrinfo_t request;
    Impl* owner;
  };
  struct Attempt {
    uv_connect_t request;
    Impl* owner;
  };

  Impl(Loop& loop_, const Address& address_, std::uint64_t timeout_ms_, OnDone on_done_)
      : loop(loop_),
        address(address_),
        timeout_ms(timeout_ms_),
        on_done(std::move(on_done_)),
        timer(loop_, [this] { on_timer(); }) {}
  ~Impl() {
    if (look_up != nullptr) {
      look_up->owner = nullptr;
      uv_cancel(reinterpret_cast<uv_req_t*>(&look_up->request));
    }
    abandon();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void begin();
  void start_look_up();
  void on_looked_up(int status, const addrinfo* list);
  void try_next();
  void on_timer();
  void on_connected(int status);
  void abandon();
  // Nothing of *this may be touched after it.
  void finish(Stream connected, std::string reason);

  Loop& loop;
  const Address address;
  const std::uint64_t timeout_ms;
  OnDone on_done;
  std::vector<SocketAddress> addresses;
  std::size_t next = 0;
  std::string why;
  LookUp* look_up = nullptr;
  Attempt* attempt = nullptr;
  Stream stream;
  Timer timer;  // 0 before the first attempt, so that no callback comes out of the constructor
  bool begun = false;
};

void Connect::Impl::begin() {
  begun = true;
  if (const auto plain = numeric(address)) {
    addresses = {*plain};
    try_next();
  } else {
    start_look_up();
  }
}

void Connect::Impl::start_look_up() {
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

void Connect::Impl::on_looked_up(int status, const addrinfo* list) {
  if (status != 0) {
    finish({}, "cannot look up \"" + address.host + "\": " + error_text(-status));
    return;
  }
  addresses = from_list(list);
  why = "\"" + address.host + "\" has no address";
  try_next();
}

void Connect::Impl::try_next() {
  abandon();
  if (next == addresses.size()) {
    finish({}, why);
    return;
  }
  const SocketAddress& target = addresses[next++];
  stream = Stream(loop);
  attempt = new Attempt{.request = {}, .owner = this};
  attempt->request.data = attempt;
  const auto done = [](uv_connect_t* request, int status) noexcept {
    Attempt* const finished = static_cast<Attempt*>(request->data);
    Impl* const owner = finished->owner;
    delete finished;
    if (owner == nullptr) return;
    owner->attempt = nullptr;
    owner->on_connected(status);
  };
  const int rc = uv_tcp_connect(&attempt->request, &stream.box_->handle, target.get(), done);
  timer.start(timeout_ms);
  if (rc == 0) return;
  delete attempt;
  attempt = nullptr;
  on_connected(rc);
}

void Connect::Impl::on_timer() {
  if (!begun) {
    begin();
  } else {
    on_connected(UV_ETIMEDOUT);
  }
}

void Connect::Impl::on_connected(int status) {
  timer.stop();
  if (status == 0) {
    uv_tcp_nodelay(&stream.box_->handle, 1);
    finish(std::move(stream), {});
    return;
  }
  why = plain_words(-status);
  const std::string tried = to_address(addresses[next - 1].storage).host;
  if (tried != address.host) why += " (" + tried + ")";
  try_next();
}

void Connect::Impl::abandon() {
  if (attempt != nullptr) attempt->owner = nullptr;
  attempt = nullptr;
  stream = {};
}

void Connect::Impl::finish(Stream connected, std::string reason) {
  timer.stop();
  const OnDone done = std::move(on_done);
  done(std::move(connected), std::move(reason));
}

Connect::Connect(Loop& loop, const Address& address, std::uint64_t timeout_ms_an_address,
                 OnDone on_done)
    : impl_(std::make_unique<Impl>(loop, address, timeout_ms_an_address, std::move(on_done))) {
  impl_->timer.start(0);
}

Connect::~Connect() = default;

}  // namespace zatt::loop
