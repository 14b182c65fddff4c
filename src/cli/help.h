// SPDX-License-Identifier: AGPL-3.0-or-later
// The texts of zatt help and zatt help VERB. Their examples are run by the tests.
#pragma once

#include <string>

#include "cli/verbs.h"

namespace zatt::cli {

std::string help_text();
std::string help_text(const VerbRow& verb);

}  // namespace zatt::cli
