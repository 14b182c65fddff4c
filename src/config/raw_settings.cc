// SPDX-License-Identifier: AGPL-3.0-or-later
#include "config/raw_settings.h"

#include <algorithm>

#include "base/text.h"

namespace zatt::config {
namespace {

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string what_is_wrong_with_id(std::string_view id) {
  const bool good = !id.empty() && id.size() <= 64 &&
                    std::all_of(id.begin(), id.end(), is_id_character) && id != "." && id != "..";
  return good ? "" : "an id has 1 to 64 letters, digits, '.', '_' and '-'";
}

std::string what_is_wrong_with_host(std::string_view host) {
  const auto is_odd = [](char c) {
    return c <= ' ' || c == 127 || c == '/' || c == '[' || c == ']';
  };
  const bool good =
      !host.empty() && host.size() <= 253 && std::none_of(host.begin(), host.end(), is_odd);
  return good ? "" : "a host is a name or an IP address, without port or brackets";
}

bool is_wildcard(std::string_view host) {
  // "0", "0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::0.0.0.0": nothing but zeros, however written.
  return !host.empty() && host.find_first_not_of("0.:") == std::string_view::npos;
}

std::optional<std::uint16_t> to_port(std::string_view text) {
  const auto number = to_number<std::uint16_t>(text);
  return number == 0 ? std::nullopt : number;
}

}  // namespace zatt::config
