// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/loop.h"

#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace zatt::loop {

namespace {

constexpr std::uint64_t turn_us = 4000;

}  // namespace

std::uint64_t now_us() noexcept { return uv_hrtime() / 1000; }

// libuv reads the time when it begins a turn, and when its wait has ended.
bool Loop::turn_is_over() const noexcept { return now_us() >= 1000 * uv_now(uv_) + turn_us; }

std::string error_text(int sys) { return uv_strerror(-sys); }

namespace {

int make_uv_loop(std::unique_ptr<uv_loop_t>& out) {
  out = std::make_unique<uv_loop_t>();
  return uv_loop_init(out.get());
}

// An errno where there are not enough for a loop: libuv's first one would end the process then.
int try_descriptors() {
  int taken[6];
  int sys = 0;
  for (int& fd : taken) {
    fd = open("/", O_RDONLY | O_CLOEXEC);
    if (fd < 0) sys = errno;
  }
  for (const int fd : taken)
    if (fd >= 0) close(fd);
  return sys;
}

std::unique_ptr<uv_loop_t> uv_loop_for_certain() {
  std::unique_ptr<uv_loop_t> made;
  const int rc = make_uv_loop(made);
  ZATT_ASSERT(rc == 0);
  return made;
}

}  // namespace

Loop::Loop() : Loop(uv_loop_for_certain()) {}

Result<std::unique_ptr<Loop>> Loop::make() {
  if (const int sys = try_descriptors(); sys != 0)
    return Error{Code::io, sys, "making an event loop", ""};
  std::unique_ptr<uv_loop_t> made;
  if (const int rc = make_uv_loop(made); rc != 0)
    return Error{Code::io, -rc, "making an event loop", ""};
  return std::unique_ptr<Loop>(new Loop(std::move(made)));
}

Loop::Loop(std::unique_ptr<uv_loop_t> own)
    : own_(std::move(own)),
      uv_(own_.get()),
      read_buffer_(new char[read_buffer_bytes + read_slack_bytes]()) {}

Loop::Loop(uv_loop_s* borrowed)
    : uv_(borrowed), read_buffer_(new char[read_buffer_bytes + read_slack_bytes]()) {}

Loop::~Loop() {
  if (!own_) return;
  while (uv_loop_close(uv_) == UV_EBUSY) uv_run(uv_, UV_RUN_ONCE);
}

void Loop::run() { uv_run(uv_, UV_RUN_DEFAULT); }
void Loop::run_once() { uv_run(uv_, UV_RUN_ONCE); }
void Loop::run_ready() { uv_run(uv_, UV_RUN_NOWAIT); }
void Loop::stop() noexcept { uv_stop(uv_); }

bool Loop::drain(std::uint64_t max_ms) {
  uv_timer_t limit;
  uv_timer_init(uv_, &limit);
  uv_timer_start(
      &limit, [](uv_timer_t*) noexcept {}, max_ms, 0);
  uv_unref(reinterpret_cast<uv_handle_t*>(&limit));
  const std::uint64_t end_us = now_us() + max_ms * 1000;
  while (uv_loop_alive(uv_) != 0 && now_us() < end_us) uv_run(uv_, UV_RUN_ONCE);
  const bool drained = uv_loop_alive(uv_) == 0;
  bool closed = false;
  limit.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t*>(&limit),
           [](uv_handle_t* handle) noexcept { *static_cast<bool*>(handle->data) = true; });
  while (!closed) uv_run(uv_, UV_RUN_NOWAIT);
  return drained;
}

}  // namespace zatt::loop
