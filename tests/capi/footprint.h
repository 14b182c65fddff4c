// SPDX-License-Identifier: AGPL-3.0-or-later
// What this process holds of the system: taken before and after, it shows what was left behind.
#pragma once

#include <dirent.h>

#include <cstddef>

namespace zatt::capi::test {

inline std::size_t entries_of(const char* directory) {
  DIR* const open = opendir(directory);
  std::size_t count = 0;
  while (readdir(open) != nullptr) ++count;
  closedir(open);
  return count;
}

inline std::size_t open_files() { return entries_of("/proc/self/fd"); }
inline std::size_t threads() { return entries_of("/proc/self/task"); }

}  // namespace zatt::capi::test
