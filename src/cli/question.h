// SPDX-License-Identifier: AGPL-3.0-or-later
// Asks the person at the terminal a question.
#pragma once

#include <optional>
#include <string_view>

#include "cli/interrupts.h"

namespace zatt::cli {

// Standard input and standard error are a terminal's.
bool can_ask();

// Asks on standard error. True only for "y" or "yes"; nothing after ^C.
std::optional<bool> ask_person(std::string_view question, const Interrupts& interrupts);

}  // namespace zatt::cli
