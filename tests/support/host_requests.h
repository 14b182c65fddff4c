// SPDX-License-Identifier: AGPL-3.0-or-later
// What only this process asks of a node, for a state machine of its own, and what it is answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/types.h"
#include "codec/request.h"
#include "codec/response.h"

namespace zatt::test {

inline codec::Request proposal(std::string command, std::uint32_t timeout_ms) {
  return {codec::Proposal{std::move(command)}, timeout_ms};
}
inline codec::Request barrier(std::uint32_t timeout_ms) { return {codec::Barrier{}, timeout_ms}; }

inline bool is_of_a_host(const codec::Request& request) {
  return std::holds_alternative<codec::Proposal>(request.operation) ||
         std::holds_alternative<codec::Barrier>(request.operation);
}

struct Answer {
  std::optional<codec::ErrorCode> refusal;  // nothing: it is done
  std::string text;                         // why not; or what the machine replied
  Index index{};                            // of a proposal that is done
};

inline Answer to_answer(const codec::Response& response) {
  if (const auto* failure = std::get_if<codec::Failure>(&response))
    return {failure->code, failure->message, {}};
  if (const auto* applied = std::get_if<codec::Applied>(&response))
    return {{}, applied->reply, applied->index};
  return {};
}

}  // namespace zatt::test
