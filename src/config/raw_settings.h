// SPDX-License-Identifier: AGPL-3.0-or-later
// Settings as somebody gave them: texts, each with where it came from, not yet checked.
//
// Flags, environment and file all end as these, under the file's names ("election_timeout_ms"), so
// that one place checks them all and every message and --print-config can name the source.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace zatt::config {

struct RawSetting {
  std::string text;
  std::string from;  // "--port", "ZATT_PORT", "zatt.conf"
};

using RawSettings = std::map<std::string, RawSetting, std::less<>>;  // by name

using Members = std::map<std::string, Address>;  // by id

inline constexpr std::string_view setting_names[] = {
    "id",
    "storage",
    "address",
    "port",
    "election_timeout_ms",
    "segment_bytes",
    "max_request_bytes",
    "max_buffer_bytes",
    "create",
    "debug",
};

// Checks of single values, for whoever reads them: a sentence on what is wrong.
std::string what_is_wrong_with_id(std::string_view id);      // empty: nothing
std::string what_is_wrong_with_host(std::string_view host);  // empty: nothing
bool is_wildcard(std::string_view host);  // all addresses of a machine: to listen on, not to dial
std::optional<std::uint16_t> to_port(std::string_view text);  // 1 to 65535

}  // namespace zatt::config
