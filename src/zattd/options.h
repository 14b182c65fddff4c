// SPDX-License-Identifier: AGPL-3.0-or-later
// Decides what this process does: options over environment over file over defaults, all checked.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/result.h"
#include "config/settings.h"
#include "zattd/arguments.h"

namespace zatt {

struct Settings : config::Settings {
  Action action = Action::run;
};

using ReadFile = std::function<Result<std::string>(const std::string& name)>;

// Arguments without the program's name. An error is one sentence for a person.
Result<Settings> parse(std::span<const std::string> arguments, const Environment& environment,
                       const ReadFile& read_file);

}  // namespace zatt
