// SPDX-License-Identifier: AGPL-3.0-or-later
// Text for a line that people read.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace zatt {

// Control characters, which a peer or a client may have sent, become '?'.
inline std::string printable(std::string_view text) {
  std::string line(text);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; };
  std::replace_if(line.begin(), line.end(), is_control, '?');
  return line;
}

}  // namespace zatt
