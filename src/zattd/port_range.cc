// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/port_range.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

namespace zatt {
namespace {

using Range = std::pair<unsigned, unsigned>;

// "A-B", "A B" or "A", whatever stands between them.
std::optional<Range> to_range(std::string_view text) {
  constexpr std::string_view digits = "0123456789";
  Range range;
  const auto take = [&text, digits](unsigned& number) {
    text.remove_prefix(std::min(text.find_first_of(digits), text.size()));
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  };
  if (!take(range.first)) return std::nullopt;
  if (!take(range.second)) range.second = range.first;
  return range;
}

bool holds(const std::optional<Range>& range, unsigned port) {
  return range && range->first <= port && port <= range->second;
}

bool is_reserved(unsigned port, std::string_view list) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (holds(to_range(list.substr(0, comma)), port)) return true;
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
  }
  return false;
}

std::string line_of(const char* file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

}  // namespace

std::string odd_port(std::uint16_t port, std::string_view range, std::string_view reserved) {
  const auto raw = to_range(range);
  if (!holds(raw, port) || is_reserved(port, reserved)) return {};
  return "port " + std::to_string(port) + " is one of those that this machine's outgoing " +
         "connections take (" + std::to_string(raw->first) + " to " + std::to_string(raw->second) +
         "): one of them may hold it when this node is to start; " +
         "choose another, or reserve it (sysctl net.ipv4.ip_local_reserved_ports)";
}

std::string odd_port(std::uint16_t port) {
  return odd_port(port, line_of("/proc/sys/net/ipv4/ip_local_port_range"),
                  line_of("/proc/sys/net/ipv4/ip_local_reserved_ports"));
}

}  // namespace zatt
