// SPDX-License-Identifier: AGPL-3.0-or-later
// Prints what goes wrong on standard error, one line each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/exit_codes.h"
#include "cli/session.h"

namespace zatt::cli {

// What is said meanwhile names where it comes from: "line 3".
class Place {
 public:
  explicit Place(std::string name);
  ~Place();
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};
std::size_t errors_printed();

void print_error(std::string_view sentence);

// Says why, and answers what to end with.
Exit print_usage_error(std::string_view sentence);
// About a reply that is not a success: `what` names its subject, or is "". `code`: the exit code.
void print_error_of(const Reply& reply, std::string_view what, Exit code);

// What an error of zatt.h ends the command with.
Exit exit_of(int error);

}  // namespace zatt::cli
