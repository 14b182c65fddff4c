// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/pages.h"

#include <algorithm>
#include <string>

namespace zatt::cli {

std::optional<Reply> each_page(Session& session, zatt_request scan, std::uint64_t most,
                               std::uint32_t a_page,
                               const std::function<bool(const Reply&)>& on_page) {
  std::string after;
  while (most > 0) {
    scan.limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, a_page));
    Reply page = session.ask(scan);
    if (page.error != ZATT_OK) return page;
    if (!on_page(page) || !page.more || page.items.empty()) break;
    most -= std::min<std::uint64_t>(most, page.items.size());
    after = page.items.back().key;
    scan.after = bytes_of(after);
  }
  return std::nullopt;
}

}  // namespace zatt::cli
