// SPDX-License-Identifier: AGPL-3.0-or-later
// What this process holds of the system: taken before and after, it shows what was left behind.
#pragma once

#include <dirent.h>

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>

namespace zatt::capi::test {

inline std::size_t entries_of(const char* directory) {
  DIR* const open = opendir(directory);
  std::size_t count = 0;
  while (readdir(open) != nullptr) ++count;
  closedir(open);
  return count;
}

inline std::size_t open_files() { return entries_of("/proc/self/fd"); }

// Who has waited for a thread's end may still find its entry in /proc for a moment. But before it
// wakes anybody it is marked as ending (PF_EXITING in proc(5)'s flags of the kernel): no thread
// that was joined is counted here.
inline bool is_ending(const std::string& task) {
  constexpr unsigned pf_exiting = 0x4;
  std::ifstream file("/proc/self/task/" + task + "/stat");
  std::string text;
  if (!std::getline(file, text)) return true;  // it has ended meanwhile
  std::istringstream behind_its_name(text.substr(text.rfind(')') + 2));
  std::string ignored;
  for (int i = 0; i < 6; ++i) behind_its_name >> ignored;
  unsigned flags = 0;
  behind_its_name >> flags;
  return (flags & pf_exiting) != 0;
}

inline std::size_t threads() {
  DIR* const open = opendir("/proc/self/task");
  std::size_t count = 0;
  while (const dirent* const entry = readdir(open)) {
    const std::string task = entry->d_name;
    if (task[0] != '.' && !is_ending(task)) ++count;
  }
  closedir(open);
  return count;
}

}  // namespace zatt::capi::test
