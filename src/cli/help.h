// SPDX-License-Identifier: AGPL-3.0-or-later
// What a person asks next, answered: help, and help of a verb. Its examples are run by the tests.
#pragma once

#include <string>

#include "cli/verbs.h"

namespace zatt::cli {

std::string help_text();
std::string help_text(const VerbRow& verb);

}  // namespace zatt::cli
