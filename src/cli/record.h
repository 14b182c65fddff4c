// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads one line of an export: {"key":K,"value":V}. A "rev", as scan --json has it, is ignored.
#pragma once

#include <string>
#include <string_view>

namespace zatt::cli {

struct Record {
  std::string key;
  std::string_view value;  // JSON text, within the line
  std::string wrong;       // a sentence, or "": all is well
};

Record to_record(std::string_view line);

}  // namespace zatt::cli
