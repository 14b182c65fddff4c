// SPDX-License-Identifier: AGPL-3.0-or-later
// How the objects of this folder own a libuv handle.
//
// uv_close() is asynchronous: libuv reads the handle until its close callback runs. So a handle
// lives in a Box on the heap, owned by our object until its destructor, then by libuv; the loop
// must turn once more before it is freed. The object may end at any time, even in its own callback.
#pragma once

#include <memory>

namespace zatt::loop {

// A handle and the function that its event calls: loop/handle.h.
template <class Handle>
struct EventBox;

// Hands a Box over to libuv, to be freed once it is closed. Defined in loop/handle.h, and
// instantiated beside the Box.
template <class Box>
struct Close {
  void operator()(Box* box) const noexcept;
};

template <class Box>
using Owned = std::unique_ptr<Box, Close<Box>>;

}  // namespace zatt::loop
