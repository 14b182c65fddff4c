// SPDX-License-Identifier: AGPL-3.0-or-later
// Carries out a command: finds its verb, opens what it needs, calls it.
#pragma once

#include <string_view>

#include "cli/commands.h"

namespace zatt::cli {

Exit run_command(Context& context);

// A command that stands in a line, as after "zatt" in a shell, with the session of `outer`. What it
// adds to the output is written. `asks`: a person is there who can be asked.
Exit run_line(Context& outer, std::string_view line, bool asks);

}  // namespace zatt::cli
