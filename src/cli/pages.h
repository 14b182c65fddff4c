// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads everything below a prefix, page by page.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "cli/session.h"

namespace zatt::cli {

inline constexpr std::uint32_t most_a_page = 10'000;

// Asks for the pages of a scan, one after the other: `most` keys in all, `a_page` of them at once,
// and has each handed on, which ends it by saying false. The reply of the page that did not come.
std::optional<Reply> each_page(Session& session, zatt_request scan, std::uint64_t most,
                               std::uint32_t a_page,
                               const std::function<bool(const Reply&)>& on_page);

}  // namespace zatt::cli
