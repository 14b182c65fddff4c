// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/configuration_history.h"

#include "base/assert.h"

namespace zatt::raft {

void ConfigurationHistory::append(const EntryView& entry) {
  if (entry.kind != EntryKind::configuration) return;
  ZATT_ASSERT(entry.index > index());
  auto configuration = decode_configuration(entry.body);
  ZATT_ASSERT(configuration.has_value());
  configurations_.emplace_back(entry.index, std::move(*configuration));
}

void ConfigurationHistory::truncate(Index last) {
  while (index() > last) configurations_.pop_back();
}

const Configuration& ConfigurationHistory::in_force() const {
  static const Configuration none;
  return configurations_.empty() ? none : configurations_.back().second;
}

Index ConfigurationHistory::index() const {
  return configurations_.empty() ? Index{0} : configurations_.back().first;
}

}  // namespace zatt::raft
