// SPDX-License-Identifier: AGPL-3.0-or-later
// A scenario as a file: what happens, a line `----`, and what is seen then.
#pragma once

#include <string>

namespace zatt::test {

// What playing a file came to.
struct Played {
  bool as_expected = false;
  std::string difference;  // for a person: - expected, + seen
};
// Where told to, writes what was seen into the file, unless something was wrong with it.
Played play_file(const std::string& path, bool rewrite, bool trace);

// For a program: prints what differs. Its exit status: 0 where nothing does.
int run_scenario(const std::string& path, bool trace);

}  // namespace zatt::test
