// SPDX-License-Identifier: AGPL-3.0-or-later
// What happens when libuv gets no memory: without this it aborts, sometimes without a message.
#pragma once

namespace zatt::loop {

// Calls `end`, which does not return, wherever an allocation of libuv's own fails. For the whole
// process; before the first loop is made.
void on_out_of_memory(void (*end)());

}  // namespace zatt::loop
