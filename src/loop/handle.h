// SPDX-License-Identifier: AGPL-3.0-or-later
// How every libuv handle of this room is owned.
//
// uv_close() is asynchronous: libuv reads the handle until the close callback runs. So a handle
// lives in a Box on the heap, owned by our object until its destructor, then by libuv; the loop
// must turn once more before it is freed. For loop/*.cc only.
#pragma once

#include <uv.h>

#include <memory>

#include "base/assert.h"

namespace zatt::loop {

template <class T>
uv_handle_t* as_handle(T* handle) noexcept {
  return reinterpret_cast<uv_handle_t*>(handle);
}

// A Box has a member `handle`, whose `data` points back to the Box.
template <class Box>
void close_box(Box* box) noexcept {
  uv_close(as_handle(&box->handle),
           [](uv_handle_t* handle) noexcept { delete static_cast<Box*>(handle->data); });
}

// For a Box whose uv_*_init failed never, or by our own mistake.
template <class Box>
void adopt(Box* box, int rc) noexcept {
  ZATT_ASSERT(rc == 0);
  box->handle.data = box;
}

}  // namespace zatt::loop
