// SPDX-License-Identifier: AGPL-3.0-or-later
#include "config/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "base/text.h"

namespace zatt::config {
namespace {

// The number in a file's first line; none where there is no such file, or "max" in it.
std::optional<std::uint64_t> number_in(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  return to_number<std::uint64_t>(line);
}

std::uint64_t physical_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page <= 0) return UINT64_MAX;
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
}

// A group's limit holds for all groups in it: the least on the way up counts.
std::uint64_t least_on_the_way_up(const std::string& root, std::string group,
                                  const std::string& file) {
  std::uint64_t least = UINT64_MAX;
  while (true) {
    if (const auto limit = number_in(root + group + "/" + file)) least = std::min(least, *limit);
    const std::size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return least;
    group.resize(slash);
  }
}

// /proc/self/cgroup has a line `number:controllers:/group` for each hierarchy; version 2 has one,
// without controllers.
std::uint64_t group_limit() {
  std::ifstream groups("/proc/self/cgroup");
  std::uint64_t least = UINT64_MAX;
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1) == "/" ? "" : line.substr(second + 1);
    if (controllers.empty())
      least = std::min(least, least_on_the_way_up("/sys/fs/cgroup", group, "memory.max"));
    else if (controllers == "memory")
      least = std::min(
          least, least_on_the_way_up("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
  }
  return least;
}

}  // namespace

std::uint64_t machine_memory_bytes() { return std::min(physical_bytes(), group_limit()); }

}  // namespace zatt::config
