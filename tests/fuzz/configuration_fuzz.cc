// SPDX-License-Identifier: AGPL-3.0-or-later
// The body of a configuration entry.
#include "raft/configuration.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

int fuzz_configuration(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  const std::string bytes(fuzz::Input(data, size).rest());
  const auto configuration = raft::decode_configuration(bytes);
  if (!configuration) return 0;
  std::string again;
  raft::encode(*configuration, again);
  fuzz::require(again == bytes, "a configuration has one encoding");
  for (const raft::Member& member : configuration->members) {
    fuzz::require(configuration->find(member.server) == &member, "a member is found");
    fuzz::require(configuration->votes(member.server) == (member.voter || member.outgoing),
                  "who has a half votes");
  }
  return 0;
}
