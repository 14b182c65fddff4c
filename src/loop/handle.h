// SPDX-License-Identifier: AGPL-3.0-or-later
// What is in a Box (loop/box.h), for the .cc files of this folder only.
#pragma once

#include <unistd.h>
#include <uv.h>

#include <concepts>
#include <functional>

#include "base/assert.h"
#include "loop/box.h"

namespace zatt::loop {

template <class T>
uv_handle_t* as_handle(T* handle) noexcept {
  return reinterpret_cast<uv_handle_t*>(handle);
}

template <class Handle>
struct EventBox {
  Handle handle = {};
  std::function<void()> on_event = {};

  // libuv's callback for it.
  template <class... Rest>
  static void call(Handle* handle, Rest...) noexcept {
    static_cast<EventBox*>(handle->data)->on_event();
  }
};

// A socket that libuv watches: its Box is derived from this one, and has a
// `void before_close() noexcept` where there is more to end.
struct SocketBox {
  uv_poll_t handle = {};
  int fd = -1;
  bool open = true;  // false: its owner is gone
};

// A Box has a member `handle`, whose `data` points back to the Box.
template <class Box>
void Close<Box>::operator()(Box* box) const noexcept {
  constexpr bool is_socket = std::derived_from<Box, SocketBox>;
  if constexpr (is_socket) box->open = false;
  if constexpr (requires { box->before_close(); }) box->before_close();
  [[maybe_unused]] int fd = -1;
  if constexpr (is_socket) fd = box->fd;
  uv_close(as_handle(&box->handle),
           [](uv_handle_t* handle) noexcept { delete static_cast<Box*>(handle->data); });
  // Only now: libuv has used the number, which other threads may get again.
  if constexpr (is_socket) close(fd);
}

// After a uv_*_init, which fails only by a mistake of ours.
template <class Box>
void adopt(Box* box, int rc) noexcept {
  ZATT_ASSERT(rc == 0);
  box->handle.data = box;
}

}  // namespace zatt::loop
