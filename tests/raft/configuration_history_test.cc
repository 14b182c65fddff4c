// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/configuration_history.h"

#include <doctest/doctest.h>

namespace zatt::raft {
namespace {

Configuration of_one(const std::string& id) {
  Configuration configuration;
  configuration.members.push_back({{id, 1}, {id, 1}, true, false, false});
  return configuration;
}

void append(ConfigurationHistory& history, std::uint64_t index, const std::string& id) {
  std::string body;
  encode(of_one(id), body);
  history.append({Index{index}, Term{1}, 0, EntryKind::configuration, body});
}

}  // namespace

TEST_CASE("configuration history: empty before the first") {
  ConfigurationHistory history;
  CHECK(history.in_force().empty());
  CHECK(history.index() == Index{0});
  history.append({Index{1}, Term{1}, 0, EntryKind::command, "no configuration"});
  CHECK(history.in_force().empty());
  history.truncate(Index{0});
  CHECK(history.index() == Index{0});
}

TEST_CASE("configuration history: the last is in force, until a truncation takes it") {
  ConfigurationHistory history;
  append(history, 1, "a");
  append(history, 5, "b");
  append(history, 9, "c");
  CHECK(history.in_force() == of_one("c"));
  CHECK(history.index() == Index{9});
  history.truncate(Index{9});
  CHECK(history.in_force() == of_one("c"));
  history.truncate(Index{8});
  CHECK(history.in_force() == of_one("b"));
  CHECK(history.index() == Index{5});
  append(history, 6, "d");
  CHECK(history.in_force() == of_one("d"));
  history.truncate(Index{4});  // two of them at once
  CHECK(history.in_force() == of_one("a"));
  history.truncate(Index{0});
  CHECK(history.in_force().empty());
}

}  // namespace zatt::raft
