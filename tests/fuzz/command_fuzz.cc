// SPDX-License-Identifier: AGPL-3.0-or-later
// Commands and replies of the store, and a store that has to live with them.
#include "kv/command.h"
#include "kv/machine.h"
#include "kv/reply.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

void check_command(std::string_view bytes) {
  const auto command = kv::decode_command(bytes);
  if (!command) return;
  std::string again;
  kv::encode(*command, again);
  require(again == bytes, "a command has one encoding");
}

void check_reply(std::string_view bytes) {
  const auto reply = kv::decode_reply(bytes);
  if (!reply) return;
  std::string again;
  kv::encode(*reply, again);
  require(again == bytes, "a reply has one encoding");
}

// Each of them behind its length.
void check_store(Input& in) {
  kv::Machine store;
  kv::Machine other(99);
  for (std::uint64_t index = 1; !in.done(); ++index) {
    const std::string command(in.bytes(in.u8()));
    check_command(command);
    std::string reply, other_reply;
    store.apply(Index{index}, 0, command, reply);
    other.apply(Index{index}, 0, command, other_reply);
    require(reply == other_reply, "two stores say the same");
    const auto decoded = kv::decode_reply(reply);
    require(decoded.has_value(), "a store's reply is one");
    if (decoded->outcome == kv::Outcome::malformed)
      require(!kv::decode_command(command), "a command is carried out");
  }
  require(store.state_hash() == other.state_hash(), "two stores hold the same");
  std::uint64_t count = 0;
  for (auto cursor = store.scan("", std::nullopt); !cursor.at_end(); cursor.advance()) ++count;
  require(count == store.size() && store.count("") == count, "all that is held is seen");
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_command(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  switch (in.u8() % 3) {
    case 0:
      fuzz::check_command(in.rest());
      break;
    case 1:
      fuzz::check_reply(in.rest());
      break;
    default:
      fuzz::check_store(in);
  }
  return 0;
}
