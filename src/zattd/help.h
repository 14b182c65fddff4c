// SPDX-License-Identifier: AGPL-3.0-or-later
// The texts of --help and --print-config.
#pragma once

#include <string>
#include <string_view>

#include "zattd/options.h"

namespace zatt {

extern const std::string_view help_text;

std::string printed_config(const Settings& settings);

}  // namespace zatt
