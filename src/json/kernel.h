// SPDX-License-Identifier: AGPL-3.0-or-later
// What simdjson chooses by the processor it runs on.
//
// Each kernel must read the same lines in the same way; tests go through all that can run here,
// the plain one included, which is all there is on 32-bit ARM.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zatt::json {

std::string_view kernel();           // the one in use
std::vector<std::string> kernels();  // those that this processor can run

// For readers made from then on. False where there is no such kernel here.
bool use_kernel(std::string_view name);

// A checked text without whitespace outside strings; replaces what `out` holds.
void minify(std::string_view text, std::string& out);

}  // namespace zatt::json
