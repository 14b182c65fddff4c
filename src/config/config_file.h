// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt.conf: one JSON object, read strictly, so that a typo is a message and not a default.
//
//   {"cluster": {"0": ["10.0.0.1", 5254], "1": ["10.0.0.2", 5254]}, "election_timeout_ms": 600}
//
// "cluster" may also be a list of [host, port]; ids are then "0", "1", ... by position.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/raw_settings.h"

namespace zatt::config {

struct ConfigFile {
  RawSettings settings;
  std::optional<Members> cluster;
};

// The file's text.
Result<std::string> read_file(const std::string& name);

// `name` is the file's, for messages.
Result<ConfigFile> parse_config_file(const std::string& name, const std::string& text);

}  // namespace zatt::config
