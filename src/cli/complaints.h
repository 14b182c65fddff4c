// SPDX-License-Identifier: AGPL-3.0-or-later
// What goes wrong, said on standard error in one line each.
#pragma once

#include <string_view>

#include "cli/exits.h"
#include "cli/session.h"

namespace zatt::cli {

void complain(std::string_view sentence);

// Says why, and answers what to end with.
Exit complain_usage(std::string_view sentence);
// Of a reply that is no success; `what` names what it was about, or is "".
Exit complain_of(const Reply& reply, std::string_view what = {});

// What an error of zatt.h ends the command with.
Exit exit_of(int error);

}  // namespace zatt::cli
