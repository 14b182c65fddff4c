// SPDX-License-Identifier: AGPL-3.0-or-later
// One key with what it holds, as the store shows it.
#pragma once

#include <cstdint>
#include <string_view>

namespace zatt::kv {

// Borrowed from the store: valid until its next apply or restore.
struct Item {
  std::string_view key{};
  std::string_view value{};  // JSON text
  std::uint64_t rev = 0;
};

}  // namespace zatt::kv
