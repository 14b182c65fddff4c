// SPDX-License-Identifier: AGPL-3.0-or-later
// What a peer says: the bytes of any message.
#include "codec/peer_message.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

std::string encoded(const codec::PeerMessage& message) {
  std::string bytes;
  std::visit([&bytes](const auto& m) { codec::encode(m, bytes); }, message);
  return bytes;
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_peer_message(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  const std::string bytes(fuzz::Input(data, size).rest());
  const auto message = codec::decode_peer_message(bytes);
  if (!message) return 0;
  const std::string again = fuzz::encoded(*message);
  // A reason that a later version has is read as "other".
  fuzz::require(again == bytes || std::holds_alternative<codec::Refused>(*message),
                "a message has one encoding");
  const auto decoded = codec::decode_peer_message(again);
  fuzz::require(decoded.has_value(), "what decoded is encoded so that it decodes");
  fuzz::require(fuzz::encoded(*decoded) == again, "and decodes to the same");
  return 0;
}
