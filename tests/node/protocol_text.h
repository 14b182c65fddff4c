// SPDX-License-Identifier: AGPL-3.0-or-later
// What clients and peers of a node say to each other, for its tests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/peer_message.h"
#include "kv/reply.h"
#include "tests/support/fake_env.h"

namespace zatt::test {

using Lines = std::vector<std::string>;

inline std::string set(std::string_view key, int value, std::string_view more = "") {
  return R"({"op":"set","key":")" + std::string(key) + R"(","value":)" + std::to_string(value) +
         std::string(more) + "}";
}

inline std::string get(std::string_view key) {
  return R"({"op":"get","key":")" + std::string(key) + R"("})";
}

// A leader's answer to a write that took effect.
inline std::string applied(std::uint64_t rev) {
  std::string bytes;
  kv::encode(kv::Reply{kv::Outcome::done, false, rev, {}}, bytes);
  return bytes;
}

inline bool is_error(const std::string& line, std::string_view code, std::string_view words = "") {
  return line.find("\"error\":\"" + std::string(code) + "\"") != std::string::npos &&
         line.find(words) != std::string::npos;
}

inline Lines commands_of(const std::vector<codec::Forward>& forwards) {
  Lines commands;
  for (const codec::Forward& forward : forwards) commands.emplace_back(forward.command);
  return commands;
}

// What a leader says of forwards, but for where they were proposed.
inline std::vector<codec::ForwardReply> decided(Peer& peer) {
  std::vector<codec::ForwardReply> replies = peer.take_all<codec::ForwardReply>();
  std::erase_if(replies, [](const codec::ForwardReply& reply) {
    return reply.what == codec::ForwardReply::What::proposed;
  });
  return replies;
}
inline std::optional<codec::ForwardReply> take_decided(Peer& peer) {
  const std::vector<codec::ForwardReply> replies = decided(peer);
  return replies.empty() ? std::nullopt : std::optional(replies.front());
}

}  // namespace zatt::test
