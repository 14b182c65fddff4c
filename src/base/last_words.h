// SPDX-License-Identifier: AGPL-3.0-or-later
// What a process says on stderr right before it ends: after what it has said before, and without
// waiting long for somebody who does not read.
#pragma once

#include <string_view>

namespace zatt {

// From any thread, without asking for memory. Waits at most half a second for room in a pipe.
void last_words(std::string_view text) noexcept;

// The same from a signal handler: without a wait, and before what lines are held back.
void say_at_once(std::string_view text) noexcept;

// Called first by last_words(): whoever holds lines back writes them out. Once, at a start.
void before_last_words(void (*flush)() noexcept) noexcept;

}  // namespace zatt
