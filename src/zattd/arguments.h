// SPDX-License-Identifier: AGPL-3.0-or-later
// Turns the command line and the environment of zattd into raw settings.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "config/raw_settings.h"

namespace zatt {

enum class Action : std::uint8_t { run, check_config, print_config, help, version };

struct Arguments {
  Action action = Action::run;
  config::RawSettings settings;  // "config" among them
  std::vector<Address> remotes;  // --remote-address with --remote-port
};

// Without the program's name.
Result<Arguments> parse_arguments(std::span<const std::string> arguments);

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// ZATT_CONFIG, ZATT_ID, ... Empty ones count as not set, and so do those that Kubernetes sets for a
// service named zatt: ZATT_PORT=tcp://10.0.0.11:5254.
config::RawSettings from_environment(const Environment& environment);

// What a person should know of "NAME=VALUE" lines: names that nobody asks for, and values that were
// not meant for us. A sentence each.
std::vector<std::string> odd_environment(std::span<const std::string> lines);

}  // namespace zatt
