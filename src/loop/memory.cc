// SPDX-License-Identifier: AGPL-3.0-or-later
#include "loop/memory.h"

#include <uv.h>

#include <cstdlib>

namespace zatt::loop {
namespace {

void (*end_process)() = nullptr;

void* given(void* memory, bool is_wanted) {
  if (memory == nullptr && is_wanted) end_process();
  return memory;
}

}  // namespace

void on_out_of_memory(void (*end)()) {
  end_process = end;
  uv_replace_allocator(
      [](std::size_t size) { return given(std::malloc(size), size > 0); },
      [](void* old, std::size_t size) { return given(std::realloc(old, size), size > 0); },
      [](std::size_t count, std::size_t size) {
        return given(std::calloc(count, size), count > 0 && size > 0);
      },
      std::free);
}

}  // namespace zatt::loop
