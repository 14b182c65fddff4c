// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/kernel.h"

#include <simdjson.h>

#include "base/assert.h"

namespace zatt::json {

std::string_view kernel() { return simdjson::get_active_implementation()->name(); }

std::vector<std::string> kernels() {
  std::vector<std::string> names;
  for (const simdjson::implementation* each : simdjson::get_available_implementations())
    if (each->supported_by_runtime_system()) names.push_back(each->name());
  return names;
}

bool use_kernel(std::string_view name) {
  const simdjson::implementation* found = simdjson::get_available_implementations()[name];
  if (found == nullptr || !found->supported_by_runtime_system()) return false;
  simdjson::get_active_implementation() = found;
  return true;
}

void minify(std::string_view text, std::string& out) {
  out.resize(text.size() + simdjson::SIMDJSON_PADDING);  // a kernel writes whole blocks
  std::size_t size = 0;
  const auto error = simdjson::minify(text.data(), text.size(), out.data(), size);
  ZATT_ASSERT(error == simdjson::SUCCESS);  // it fails only on an open string
  out.resize(size);
}

}  // namespace zatt::json
