// SPDX-License-Identifier: AGPL-3.0-or-later
// Responses as lines: every field in the protocol's order, no spaces, a newline at the end.
#pragma once

#include <string>
#include <string_view>

#include "codec/request.h"
#include "codec/response.h"

namespace zatt::codec {

// Appends one whole line to `out`. `request` is what the response is to. A scan's page has at most
// as many items as it wants, and ends early, with `more`, before it passes 1 MiB.
void write_json(const Request& request, const Response& response, std::string& out);

// A failure's line. `id` is the JSON text from the request, or empty.
void write_error(std::string& out, std::string_view id, ErrorCode code, std::string_view message);

}  // namespace zatt::codec
