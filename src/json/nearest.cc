// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/nearest.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace zatt::json {
namespace {

constexpr std::size_t longest_name = 64;  // a longer one is no misspelt name

// Letters changed, left out, added, or swapped with their neighbour.
std::size_t mistakes(std::string_view a, std::string_view b) {
  const std::size_t columns = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * columns);
  const auto cell = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return table[i * columns + j];
  };
  for (std::size_t i = 0; i <= a.size(); ++i) cell(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cell(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = a[i - 1] == b[j - 1];
      std::size_t best = cell(i - 1, j - 1) + (same ? 0 : 1);
      best = std::min({best, cell(i - 1, j) + 1, cell(i, j - 1) + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = std::min(best, cell(i - 2, j - 2) + 1);
      cell(i, j) = best;
    }
  }
  return cell(a.size(), b.size());
}

std::string lowered(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> known) {
  if (name.empty() || name.size() > longest_name) return {};
  const std::string wanted = lowered(name);
  std::string_view best;
  std::size_t fewest = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const std::string_view each : known) {
    const bool beginning = wanted.size() >= 2 && each.starts_with(wanted);
    const std::size_t found =
        beginning ? std::min<std::size_t>(1, each.size() - wanted.size()) : mistakes(wanted, each);
    if (found >= fewest || found >= each.size()) continue;
    best = each;
    fewest = found;
  }
  return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> known) {
  const std::string_view meant = nearest(name, known);
  return meant.empty() ? "" : "; did you mean \"" + std::string(meant) + "\"?";
}

std::string quoted(std::string_view name) {
  if (name.size() <= longest_name) return "\"" + std::string(name) + "\"";
  std::size_t end = longest_name;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  return "\"" + std::string(name.substr(0, end)) + "…\"";
}

}  // namespace zatt::json
