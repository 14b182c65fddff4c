// SPDX-License-Identifier: AGPL-3.0-or-later
#include "base/result.h"

#include <system_error>

namespace zatt {

std::string to_string(const Error& error) {
  std::string text = error.what;
  if (!error.detail.empty()) text += (text.empty() ? "" : ": ") + error.detail;
  if (error.sys != 0) text += ": " + std::generic_category().message(error.sys);
  return text;
}

}  // namespace zatt
