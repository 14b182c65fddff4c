// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's line of JSON, checked against every rule of the protocol, as a Request.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "codec/json_lines.h"
#include "codec/request.h"

namespace zatt::codec {

// What reads who speaks something else: an example, and where to read on.
inline constexpr std::string_view how_to_ask =
    R"(this port takes JSON objects, one a line, such as {"op":"get","key":"key1"}; see )"
    R"(docs/PROTOCOL.md, or `zatt help` for the command that sends them)";

class JsonRequestParser {
 public:
  JsonRequestParser();
  ~JsonRequestParser();

  // `line` has no newline; `line_slack` bytes behind it are readable. Nothing is kept of it. A line
  // that breaks a rule comes as Malformed, with its own `id` where that could be read.
  Request parse(std::string_view line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zatt::codec
