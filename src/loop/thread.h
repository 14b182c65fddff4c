// SPDX-License-Identifier: AGPL-3.0-or-later
// A thread that takes none of the process's signals: they are for its other threads, above all a
// host's. (What a thread does to itself, like a bad memory access, stays its own.)
#pragma once

#include <functional>
#include <thread>

namespace zatt::loop {

// Whether the system would give so many more, all at the same time, just now.
bool has_threads(int count) noexcept;

// Where the system has no thread to give, std::system_error comes out of it.
std::thread quiet_thread(std::function<void()> body);

}  // namespace zatt::loop
